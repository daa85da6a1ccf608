import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { listSupportedBackends } from 'onnxruntime-node';
import type { Provider } from './provider.ts';

export interface Reason {
  readonly detail: string;
  readonly action: string;
}

/** What of a machine decides whether a provider can be used. */
export interface Surroundings {
  /** `linux-x64` */
  readonly platform: string;
  /** Providers that the runtime has for this platform. */
  readonly supported: readonly string[];
  readonly hasCudaLibrary: boolean;
  /** What the loader says of that library. */
  readonly cudaLoader: () => string;
  readonly hasNvidiaDriver: boolean;
}

/** Why a provider cannot be used, in words, and what to do about it. `message` is the runtime's. */
export function whyUnavailable(
  provider: Provider,
  message: string,
  { platform, supported, hasCudaLibrary, hasNvidiaDriver, cudaLoader }: Surroundings = surroundings(),
): Reason {
  if (!supported.includes(provider)) {
    return { detail: `the runtime has none for ${platform}`, action: `It has ${supported.join(', ')}.` };
  }
  if (provider === 'cuda') {
    if (!hasCudaLibrary) {
      return {
        detail: "the runtime's CUDA library is not installed",
        action: 'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node installs it.',
      };
    }
    if (!hasNvidiaDriver) {
      return { detail: "NVIDIA's driver is not there", action: 'Install it, or give this container the card.' };
    }
    // The runtime prints what is missing and throws that something is.
    const why = message.includes('shared library') ? cudaLoader() : message;
    const action = 'Install the libraries of CUDA and cuDNN where the loader finds them (LD_LIBRARY_PATH).';
    return { detail: firstLine(why), action };
  }
  if (provider === 'webgpu' && /adapter/i.test(message)) {
    const action = "Install the card's driver; on Linux with Vulkan (libvulkan.so.1).";
    return { detail: 'no graphics card answers', action };
  }
  return { detail: firstLine(message), action: 'See the message.' };
}

const firstLine = (message: string): string => message.split('\n')[0]!.slice(0, 500);

function surroundings(): Surroundings {
  const platform = `${process.platform}-${process.arch}`;
  const main = createRequire(import.meta.url).resolve('onnxruntime-node');
  const binaries = join(dirname(dirname(main)), 'bin', 'napi-v6', process.platform, process.arch);
  const cuda = join(binaries, 'libonnxruntime_providers_cuda.so');
  return {
    platform,
    supported: listSupportedBackends().map(({ name }) => name),
    hasCudaLibrary: existsSync(cuda),
    cudaLoader: () => loadError(cuda),
    // The last one is that of a Linux within Windows.
    hasNvidiaDriver: ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/dev/dxg'].some((path) => existsSync(path)),
  };
}

/** What the loader says when it is asked for a library that is no module of Node's: what it depends on, or that it is none. */
function loadError(path: string): string {
  try {
    process.dlopen({ exports: {} }, path);
    return 'its library cannot be used';
  } catch (error) {
    return (error as Error).message;
  }
}
