import { assemblyScript } from './assemblyscript.ts';
import { rust } from './rust.ts';
import type { Toolchain } from './toolchain.ts';
import { typeScript } from './typescript.ts';

/** The languages that agents can be written in: each has a folder in `templates/agent/`. */
export const LANGUAGES = ['assemblyscript', 'typescript', 'rust'] as const;
export type Language = (typeof LANGUAGES)[number];

export const TOOLCHAINS: Readonly<Record<Language, Toolchain>> = {
  assemblyscript: assemblyScript,
  typescript: typeScript,
  rust,
};
