import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { probeProvider } from '../../../src/learning/runtime/probe.ts';
import { trainTiny } from '../../../src/learning/runtime/probe-training.ts';
import { whyUnavailable, type Surroundings } from '../../../src/learning/runtime/why-unavailable.ts';

const STUCK = fileURLToPath(new URL('./stuck-probe.ts', import.meta.url));

describe('the probe of a provider', () => {
  it('finds the processor, on which a tiny model learns', async () => {
    const state = await probeProvider('cpu', 60_000);
    assert.deepEqual(state, { provider: 'cpu', available: true, detail: state.detail, action: '' });
    assert.match(state.detail, /^onnxruntime \d/);
    const { distance, before, after } = await trainTiny('cpu');
    assert.equal(distance, 0);
    assert.ok(after < before - 0.1, `${before} → ${after}`);
  });

  it('says of CUDA that it is exact, or why it is not there and what to do', async () => {
    const { available, detail, action } = await probeProvider('cuda', 60_000);
    if (available) assert.match(detail, /gradients within/);
    else assert.match(action, /\w\.$/);
    assert.equal(available, action === '');
  });

  it('ends a process that does not come back, and says so', async () => {
    const state = await probeProvider('webgpu', 300, STUCK);
    assert.equal(state.available, false);
    assert.match(state.detail, /did not answer within 300 ms/);
  });

  it('outlives a driver that takes its process down', async () => {
    const state = await probeProvider('cuda', 30_000, STUCK);
    assert.equal(state.available, false);
    assert.match(state.detail, /died: SIGSEGV/);
  });
});

describe('why a provider is not there', () => {
  const here: Surroundings = {
    ...{ platform: 'linux-x64', supported: ['cpu', 'webgpu', 'cuda'] },
    ...{ hasCudaLibrary: true, hasNvidiaDriver: true, cudaLoader: () => 'libcublasLt.so.12: cannot open it' },
  };
  const LOAD = 'Append_Cuda: Failed to load shared library';
  const ADAPTER = 'webgpu_context.cc:136 Failed to get a WebGPU adapter: No supported adapters';

  it('is the first thing that is missing, with what brings it', () => {
    const none = whyUnavailable('cuda', LOAD, { ...here, platform: 'linux-arm64', supported: ['cpu'] });
    assert.match(none.detail, /none for linux-arm64/);
    const noLibrary = whyUnavailable('cuda', LOAD, { ...here, hasCudaLibrary: false, hasNvidiaDriver: false });
    assert.match(noLibrary.action, /ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node/);
    assert.match(whyUnavailable('cuda', LOAD, { ...here, hasNvidiaDriver: false }).detail, /driver/);
    assert.match(whyUnavailable('cuda', LOAD, here).detail, /libcublasLt\.so\.12/);
    assert.match(whyUnavailable('webgpu', ADAPTER, here).action, /Vulkan/);
  });

  it("is the runtime's first line where nothing is known of it", () => {
    assert.equal(whyUnavailable('cuda', 'CUDA failure 999\nat x', here).detail, 'CUDA failure 999');
    assert.equal(whyUnavailable('cpu', 'no kernel for Foo(1)\nat y', here).detail, 'no kernel for Foo(1)');
  });
});
