import { z } from 'zod';
import { publishUpload, type PublishingDeps } from '../../activities/publishing.ts';
import type { SampleReport } from '../../activities/trial.ts';
import type { AgentRecord } from '../../contracts/agents.ts';
import { ChimeraError } from '../../contracts/errors.ts';
import type { AgentVersionView, SampleView } from '../../client/types.ts';
import { agentList, agentVersionList, agentVersionView, publicationRequest, publishedView } from '../agent-schemas.ts';
import { route, type Route } from '../route.ts';

/** A module of the guard's 4 MiB in base64, and as much again for samples. */
const PUBLICATION_BYTES = 12 << 20;

const byAgent = z.strictObject({ agent: z.string().min(1).max(128) });

export function agentRoutes(deps: PublishingDeps): Route[] {
  const { agents } = deps.stores;
  return [
    route({
      method: 'POST',
      path: '/v1/agents/{agent}/versions',
      tag: 'agents',
      summary: 'Publish an agent version',
      description:
        'The module passes the guard and takes a first step; the samples are run twice, and must give what they expect. Nothing is stored before all of it is checked, and every problem is in the one answer. The same module with the same manifest is the same version.',
      params: byAgent,
      body: publicationRequest,
      bodyBytes: PUBLICATION_BYTES,
      unchecked: true,
      responses: {
        200: { description: 'It was published before.', schema: publishedView },
        201: { description: 'It is published.', schema: publishedView },
      },
      errors: ['CHIMERA_MALFORMED_JSON', 'CHIMERA_TOO_LARGE', 'CHIMERA_AGENT_REFUSED', 'CHIMERA_SANDBOX_CRASHED'],
      handle: async ({ params, body, principal }) => {
        const { project, keyName } = principal;
        const { version, created, samples } = await publishUpload(deps, project, params.agent, body, keyName);
        const record = await agents.find(project, version.id);
        return {
          status: created ? 201 : 200,
          body: { version: viewOf(record), created, samples: samples.map(sampleView) },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/agents',
      tag: 'agents',
      summary: 'Agents with their number of versions',
      responses: { 200: { description: 'By name.', schema: agentList } },
      handle: async ({ principal }) => ({ status: 200, body: { agents: await agents.list(principal.project) } }),
    }),
    route({
      method: 'GET',
      path: '/v1/agents/{agent}/versions',
      tag: 'agents',
      summary: 'The versions of an agent',
      params: byAgent,
      responses: { 200: { description: 'Oldest first.', schema: agentVersionList } },
      errors: ['CHIMERA_NOT_FOUND'],
      handle: async ({ params, principal }) => {
        const versions = await agents.records(principal.project, params.agent);
        if (versions.length === 0) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'agent', name: params.agent });
        return { status: 200, body: { versions: versions.map(viewOf) } };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/agent-versions/{version}',
      tag: 'agents',
      summary: 'A version: manifest, bill of materials, hashes, and who published it when',
      params: z.strictObject({
        version: z
          .string()
          .min(1)
          .max(128)
          .describe('An ID, the beginning of one, or the name of an agent: its latest.'),
      }),
      responses: { 200: { description: 'The version.', schema: agentVersionView } },
      errors: ['CHIMERA_NOT_FOUND'],
      handle: async ({ params, principal }) => ({
        status: 200,
        body: viewOf(await agents.find(principal.project, params.version)),
      }),
    }),
  ];
}

const viewOf = ({ project: _project, ...view }: AgentRecord): AgentVersionView => view;

/** Of a sample that passed: each was run. */
const sampleView = ({ sample, output, failure, turns, fuel, recordHash }: SampleReport): SampleView => ({
  sample,
  ...(output === undefined ? {} : { output }),
  ...(failure === undefined ? {} : { failure }),
  turns: turns!,
  fuel: fuel!,
  recordHash: recordHash!,
});
