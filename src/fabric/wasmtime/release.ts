import { join } from 'node:path';
import { ChimeraError } from '../../contracts/errors.ts';

/** The one version of wasmtime that runs agents: struct layouts and trap codes are this version's. */
export const WASMTIME_VERSION = '50.0.1';

/** Where wasmtime's C library is for one kind of machine: in a wheel on PyPI. */
export interface WasmtimeBuild {
  /** Platform tag of the wheel, as pip wants it. */
  readonly tag: string;
  readonly wheelSha256: string;
  /** Path of the library in the wheel. */
  readonly member: string;
  readonly librarySha256: string;
}

/** By `process.platform` and `process.arch`. Linux means glibc from 2.28 on. */
const BUILDS: Readonly<Record<string, WasmtimeBuild>> = {
  'linux-x64': {
    tag: 'manylinux1_x86_64',
    wheelSha256: 'cc14c3a17654e0394e0225b11813532ef0cd7bd1e222a0c5494cdedaabeddac4',
    member: 'wasmtime/linux-x86_64/_libwasmtime.so',
    librarySha256: '3127ca42fe7cdd3f0a43a358e79177dcfedd46c1746329826403b9d854de6178',
  },
  'linux-arm64': {
    tag: 'manylinux2014_aarch64',
    wheelSha256: '675484e525c028dc02762b777f1db4477ea70caa3fec6775426daff4d64edfb1',
    member: 'wasmtime/linux-aarch64/_libwasmtime.so',
    librarySha256: '4777b787fcc6651c98130ccc7c8ce9160faba5f3b34918886785a43094026fc9',
  },
  'darwin-x64': {
    tag: 'macosx_10_13_x86_64',
    wheelSha256: '13fe813b922712a9e10fe0f48b2c56da06432eea4b24269bb7cd3a6b2720560b',
    member: 'wasmtime/darwin-x86_64/_libwasmtime.dylib',
    librarySha256: 'aaa18016fcb37d9794b6df8c263f03c7ae42870d2fc4ede73e6ad7f855b215e3',
  },
  'darwin-arm64': {
    tag: 'macosx_11_0_arm64',
    wheelSha256: 'ff4fc58ed3cbdb919d056accd4d280be13962a542754aaefd8a9b4654efa9bd9',
    member: 'wasmtime/darwin-aarch64/_libwasmtime.dylib',
    librarySha256: 'a69fa55d4600958e3c95a25dd552cfc83105a6288fea764f37a87c578806cd85',
  },
};

/** The build for this machine; undefined where none is pinned. */
export function wasmtimeBuild(
  platform: string = process.platform,
  arch: string = process.arch,
): WasmtimeBuild | undefined {
  return BUILDS[`${platform}-${arch}`];
}

/** Where the library lies in a cache directory, once it was fetched. */
export function wasmtimePath(cacheDir: string): string {
  return join(cacheDir, 'bin', `libwasmtime-${WASMTIME_VERSION}-${process.platform}-${process.arch}`);
}

/** What a reader without the library is told. */
export const HOW_TO_GET_WASMTIME = '`npx node scripts/wasmtime.ts` fetches it';

/** Why agents cannot run on wasmtime here. */
export function noWasmtime(why: string, cause?: unknown): ChimeraError {
  return new ChimeraError('CHIMERA_SETUP', { what: `the wasmtime ${WASMTIME_VERSION} engine`, why }, { cause });
}
