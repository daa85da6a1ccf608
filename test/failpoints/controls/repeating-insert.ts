import { registerHooks } from 'node:module';

/** Preload of a negative control: feedback that is stored again is stored twice. */
const FEEDBACK = new URL('../../../src/stores/feedback.ts', import.meta.url).href;
const GUARD = 'ON CONFLICT (project, task_type, ordinal, feedback_id) DO NOTHING';

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (url !== FEEDBACK) return loaded;
    const source =
      loaded.source instanceof Uint8Array ? new TextDecoder().decode(loaded.source) : String(loaded.source);
    if (!source.includes(GUARD)) throw new Error('the insert of feedback is another one than this control knows');
    return { ...loaded, source: source.replace(GUARD, '') };
  },
});
