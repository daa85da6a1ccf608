import { invalidInput } from '../../contracts/errors.ts';
import type { Json } from '../canonical/canonical.ts';

/** Is the text a JSON pointer (RFC 6901): empty, or `/`-led tokens with `~` only in `~0` and `~1`? */
export function isPointer(text: string): boolean {
  return /^(\/([^~/]|~[01])*)*$/.test(text);
}

/** The value at a JSON pointer, or undefined where there is none. Throws CHIMERA_INVALID_INPUT for a malformed pointer. */
export function valueAt(document: Json, pointer: string): Json | undefined {
  if (!isPointer(pointer))
    throw invalidInput('the JSON pointer', [{ path: '', message: `"${pointer}" breaks RFC 6901` }]);
  let value: Json | undefined = document;
  for (const raw of pointer.split('/').slice(1)) {
    const token = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value))
      value = /^(0|[1-9]\d*)$/.test(token) ? (value as readonly Json[])[Number(token)] : undefined;
    else
      value = Object.hasOwn(value, token) ? (value as { readonly [key: string]: Json | undefined })[token] : undefined;
  }
  return value;
}
