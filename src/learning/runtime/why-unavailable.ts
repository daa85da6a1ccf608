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
  readonly hasNvidiaDriver: boolean;
}

/** Why a provider cannot be used, in words, and what to do about it. `message` is the runtime's. */
export function whyUnavailable(
  provider: Provider,
  message: string,
  { platform, supported, hasCudaLibrary, hasNvidiaDriver }: Surroundings = surroundings(),
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
    const action = 'Install CUDA 12 and cuDNN 9 where the loader finds them (LD_LIBRARY_PATH).';
    return { detail: firstLine(message), action };
  }
  if (provider === 'webgpu' && /adapter/i.test(message)) {
    const action = "Install the card's driver; on Linux with Vulkan (libvulkan.so.1).";
    return { detail: 'no graphics card answers', action };
  }
  return { detail: firstLine(message), action: 'See the message.' };
}

const firstLine = (message: string): string => message.split('\n')[0]!.slice(0, 500);

function surroundings(): Surroundings {
  const library = join('bin', 'napi-v6', process.platform, process.arch, 'libonnxruntime_providers_cuda.so');
  const main = createRequire(import.meta.url).resolve('onnxruntime-node');
  return {
    platform: `${process.platform}-${process.arch}`,
    supported: listSupportedBackends().map(({ name }) => name),
    hasCudaLibrary: existsSync(join(dirname(dirname(main)), library)),
    // The last one is Windows' for Linux within it.
    hasNvidiaDriver: ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/dev/dxg'].some((path) => existsSync(path)),
  };
}
