const encoder = new TextEncoder();

/**
 * The part of the web's Blob by which postal-mime puts the lines of a body together. Node's own keeps its bytes outside of
 * the heap and reads them on another thread, which costs more than parsing the mail does.
 */
export class GatheredBlob {
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor(parts: readonly (string | ArrayBuffer | ArrayBufferView)[] = []) {
    const chunks = parts.map(toBytes);
    this.#bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of chunks) {
      this.#bytes.set(chunk, at);
      at += chunk.length;
    }
  }

  get size(): number {
    return this.#bytes.length;
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return Promise.resolve(this.#bytes.buffer);
  }
}

/** Every other part is the end of a line. */
const NEWLINE = encoder.encode('\n');

function toBytes(part: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (part instanceof Uint8Array) return part;
  if (typeof part === 'string') return part === '\n' ? NEWLINE : encoder.encode(part);
  if (part instanceof ArrayBuffer) return new Uint8Array(part);
  return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
}

/** Puts it in place of this process's Blob. Only for the sandbox process, where nothing else makes one. */
export function useGatheredBlobs(): void {
  globalThis.Blob = GatheredBlob as unknown as typeof Blob;
}
