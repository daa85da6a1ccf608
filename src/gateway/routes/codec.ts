import type { PayloadCodec } from '@temporalio/common';
import { ChimeraError } from '../../contracts/errors.ts';
import { payloadsFromJson, payloadsJson, payloadsToJson } from '../../codec/json.ts';
import type { CodecAccess } from '../codec-access.ts';
import { route, type Principal, type Route } from '../route.ts';

/** Under this the codec server answers; the Temporal UI and CLI append `/encode` and `/decode`. */
export const CODEC_PATH = '/codec';

export interface CodecServices {
  readonly codec: PayloadCodec;
  readonly access: CodecAccess;
  /** The project of the platform's operator: keys of others open nobody's payloads. */
  readonly project: string;
}

/** A codec server as Temporal defines it, for whoever may see payloads: the operator. */
export function codecRoutes({ codec, access, project }: CodecServices): Route[] {
  const check = (principal: Principal): void => {
    if (principal.project !== project) throw new ChimeraError('CHIMERA_FORBIDDEN', { action: 'use the codec' });
  };
  return (['encode', 'decode'] as const).map((verb) =>
    route({
      method: 'POST',
      path: `${CODEC_PATH}/${verb}`,
      tag: 'codec',
      summary: `${verb === 'encode' ? 'Encrypt' : 'Decrypt'} payloads, for the Temporal UI and CLI`,
      description:
        "The page of this machine's Temporal UI needs no key; every other caller needs one of the operator's project. Payloads of another encoding are returned as they are.",
      admit: (request) => (access.isUi(request) ? { project, keyName: 'temporal-ui' } : undefined),
      body: payloadsJson,
      responses: { 200: { description: `The payloads, ${verb}d.`, schema: payloadsJson } },
      errors: ['CHIMERA_FORBIDDEN', 'CHIMERA_PAYLOAD_UNREADABLE', 'CHIMERA_MALFORMED_JSON', 'CHIMERA_TOO_LARGE'],
      handle: async ({ body, principal }) => {
        check(principal);
        return { status: 200, body: payloadsToJson(await codec[verb](payloadsFromJson(body))) };
      },
    }),
  );
}
