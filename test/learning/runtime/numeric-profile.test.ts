import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { numericProfile, type MachineFacts } from '../../../src/learning/runtime/numeric-profile.ts';

const flags = (text: string): string => `processor\t: 0\nmodel name\t: One\nflags\t\t: ${text}\nbugs\t\t: spectre\n`;
const machine = (cpuInfo: string, more: Partial<MachineFacts> = {}): MachineFacts => ({
  ...{ architecture: 'x64', processor: ' One   Processor ', cpuInfo, cards: [] },
  ...more,
});

describe('a numeric profile', () => {
  const plain = numericProfile({}, machine(flags('fpu sse4_2 avx avx2 fma')));

  it('is another one with other vector instructions of a processor of the same name', () => {
    for (const more of ['avx512f', 'avx512_vnni', 'avx_vnni', 'amx_int8', 'avx512_bf16']) {
      assert.notEqual(numericProfile({}, machine(flags(`fpu sse4_2 avx avx2 fma ${more}`))), plain, more);
    }
    assert.notEqual(numericProfile({}, machine(flags('fpu sse4_2 avx fma'))), plain);
  });

  it('is the same in whatever order they are told, and whatever else the processor can do', () => {
    assert.equal(numericProfile({}, machine(flags('fma avx2 avx sse4_2 aes rdrand hypervisor'))), plain);
  });

  it('tells those of ARM apart, and goes by the name where the system says no more', () => {
    const arm = (text: string): string =>
      numericProfile({}, machine(`Features\t: ${text}\n`, { architecture: 'arm64', processor: 'N1' }));
    assert.notEqual(arm('fp asimd'), arm('fp asimd asimddp sve i8mm bf16'));
    assert.match(numericProfile({}, machine('', { processor: 'Apple M2' })), /; x64 Apple M2 unknown; cpu; 1 threads$/);
  });

  it('names provider, threads and, where graphs run on cards, the cards', () => {
    const facts = machine(flags('avx'), { cards: ['NVIDIA H100'] });
    assert.match(numericProfile({ provider: 'cuda', threads: 4 }, facts), /; cuda NVIDIA H100; 4 threads$/);
    assert.match(numericProfile({ threads: 2 }, facts), /; cpu; 2 threads$/);
    assert.match(numericProfile({ provider: 'webgpu' }, machine('')), /; webgpu; 1 threads$/);
  });

  it('of this machine is the same each time, and short', () => {
    assert.equal(numericProfile(), numericProfile());
    assert.ok(numericProfile().length < 200);
  });
});
