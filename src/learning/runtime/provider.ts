/** Where graphs run: the processor, NVIDIA's cards by CUDA, or any graphics card by WebGPU. */
export const PROVIDERS = ['cpu', 'cuda', 'webgpu'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** How a device runs graphs. A device class of temporal.yaml says it. */
export interface DeviceRuntime {
  readonly provider: Provider;
  /** Threads of one operator. Results are exact for one number of them. */
  readonly threads: number;
}
