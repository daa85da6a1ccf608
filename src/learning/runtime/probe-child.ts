/** The process in which a provider is tried. */
import { env } from 'onnxruntime-node';
import { answerCalls } from '../process/calls.ts';
import type { ProbeCalls, ProviderState } from './probe.ts';
import { trainTiny } from './probe-training.ts';
import type { Provider } from './provider.ts';
import { whyUnavailable } from './why-unavailable.ts';

/** Relative distance of gradients: far above what rounding does, far below what a kernel does that is wrong. */
const TOLERANCE = 0.02;

answerCalls<ProbeCalls>({ probe });

async function probe(provider: Provider): Promise<ProviderState> {
  const failed = (detail: string, action: string): ProviderState => ({ provider, available: false, detail, action });
  let trained: Awaited<ReturnType<typeof trainTiny>>;
  try {
    trained = await trainTiny(provider);
  } catch (error) {
    const { detail, action } = whyUnavailable(provider, error instanceof Error ? error.message : String(error));
    return failed(detail, action);
  }
  const { distance, before, after } = trained;
  if (!(distance <= TOLERANCE) || !(after < before)) {
    const figures = `gradients ${distance.toExponential(1)} from the processor's, loss ${before} and then ${after}`;
    return failed(`it computes something else: ${figures}`, 'Update its driver, or train on another provider.');
  }
  const runtime = `onnxruntime ${env.versions.node ?? 'unknown'}`;
  const detail =
    provider === 'cpu' ? runtime : `${runtime}, gradients within ${distance.toExponential(1)} of the processor's`;
  return { provider, available: true, detail, action: '' };
}
