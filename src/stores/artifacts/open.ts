import type { ArtifactsConfig } from '../../config/config.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { createDirectoryArtifacts } from './directory.ts';
import { createS3Artifacts } from './s3.ts';

/** The artifact store that the configuration names. */
export function openArtifacts(config: ArtifactsConfig): ArtifactStore {
  return config.kind === 's3' ? createS3Artifacts(config) : createDirectoryArtifacts(config.path);
}
