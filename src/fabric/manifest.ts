import { agentManifest } from '../contracts/agents.ts';
import { invalidInput, type Problem } from '../contracts/errors.ts';
import { parseInput } from '../contracts/inputs.ts';
import type { AgentManifest, ExecutionLimits } from '../contracts/records.ts';
import { parseAllow, TOOL_NAME } from '../core/execution/allow.ts';
import { LIMIT_CEILINGS } from '../core/execution/limits.ts';

const MAX_TOOLS = 64;

/** A manifest that a user wrote, its defaults filled in. Throws `CHIMERA_INVALID_INPUT` with every problem. */
export function parseManifest(value: unknown): AgentManifest {
  const manifest: AgentManifest = parseInput(agentManifest, value, 'the agent manifest');
  const problems: Problem[] = [];
  for (const [name, limit] of Object.entries(manifest.limits)) {
    const ceiling = LIMIT_CEILINGS[name as keyof ExecutionLimits];
    if (limit > ceiling) problems.push({ path: `/limits/${name}`, message: `must be at most ${ceiling}` });
  }
  problems.push(...httpProblems(manifest), ...toolProblems(manifest));
  if (problems.length > 0) throw invalidInput('the agent manifest', problems);
  return manifest;
}

/** A capability that reaches nothing is as wrong as a list that nothing may use. */
function httpProblems({ http, capabilities }: AgentManifest): Problem[] {
  const granted = capabilities.includes('http');
  if (http === undefined) {
    return granted ? [{ path: '/http/allow', message: 'the capability http needs entries' }] : [];
  }
  const problems = parseAllow(http.allow).map(({ path, message }) => ({ path: `/http/allow${path}`, message }));
  if (http.allow.length === 0) problems.push({ path: '/http/allow', message: 'must have an entry' });
  if (!granted) problems.push({ path: '/http', message: 'needs the capability http' });
  return problems;
}

function toolProblems({ tools, capabilities }: AgentManifest): Problem[] {
  const granted = capabilities.includes('tool');
  if (tools === undefined) return granted ? [{ path: '/tools', message: 'the capability tool needs names' }] : [];
  const problems: Problem[] = [];
  if (tools.length === 0 || tools.length > MAX_TOOLS) {
    problems.push({ path: '/tools', message: `must have 1 to ${MAX_TOOLS} names` });
  }
  if (!granted) problems.push({ path: '/tools', message: 'needs the capability tool' });
  for (const [index, name] of tools.slice(0, MAX_TOOLS).entries()) {
    const path = `/tools/${index}`;
    if (!TOOL_NAME.test(name)) problems.push({ path, message: 'is not the name of a tool' });
    else if (tools.indexOf(name) !== index) problems.push({ path, message: 'is there twice' });
  }
  return problems;
}
