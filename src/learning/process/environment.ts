/**
 * What a process of models is started with: what native code reads, and nothing of ours. Where libraries and drivers are found, and which
 * cards may be used.
 */
export function modelEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, LD_LIBRARY_PATH, CUDA_VISIBLE_DEVICES, VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  // CUDA's libraries would round factors of single precision to ten bits.
  const { NVIDIA_TF32_OVERRIDE = '0' } = process.env;
  // glibc asks Linux for pages of 2 MB, where it hands them out to who asks: of matrices in pages of 4 KB, a product spends much of its
  // time on finding them. Elsewhere nobody reads it.
  const { GLIBC_TUNABLES = 'glibc.malloc.hugetlb=1' } = process.env;
  const drivers = { CUDA_VISIBLE_DEVICES, NVIDIA_TF32_OVERRIDE, VK_DRIVER_FILES, VK_ICD_FILENAMES };
  return { PATH, HOME, LD_LIBRARY_PATH, GLIBC_TUNABLES, ...drivers };
}
