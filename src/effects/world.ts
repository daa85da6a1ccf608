import type { EffectAnswer, EffectCall } from './answer.ts';
import { Breakers } from './breaker.ts';
import { parseReachable } from './http/addresses.ts';
import { HTTP_LIMITS, performHttp } from './http/perform.ts';
import type { HttpRequest } from './http/request.ts';
import { loadTools, type ToolDeclaration, type ToolOptions, type ToolRegistry } from './tools.ts';

/** How a worker performs what agents ask of the world. */
export interface WorldEffects {
  readonly tools: ToolRegistry;
  /** `allow`: the entries of the agent's manifest. Throws `CHIMERA_CANCELLED` when the call is cancelled. */
  http(request: HttpRequest, allow: readonly string[], call: EffectCall): Promise<EffectAnswer>;
}

export interface WorldOptions {
  readonly tools: readonly ToolDeclaration[];
  /** Where the modules of tools are looked up from. */
  readonly toolsFolder: string;
  /** What http effects may reach beside public addresses: see `parseReachable`. */
  readonly reachable: readonly string[];
  /** Hears what a tool threw, which no agent is told. */
  readonly report?: ToolOptions['report'];
}

/** The world of one worker: its tools and circuits. Throws `CHIMERA_INVALID_INPUT` with every problem of every tool. */
export async function openWorld(options: WorldOptions): Promise<WorldEffects> {
  const { report } = options;
  const breakers = new Breakers();
  const reachable = parseReachable(options.reachable);
  const tools = await loadTools(options.tools, options.toolsFolder, {
    breakers,
    ...(report === undefined ? {} : { report }),
  });
  return {
    tools,
    http: (request, allow, call) => performHttp(request, { ...HTTP_LIMITS, allow, reachable, breakers }, call),
  };
}
