import { crc32, deflateRawSync } from 'node:zlib';

/** A zip archive of files, deflated unless `stored`. */
export function zip(files: Readonly<Record<string, Uint8Array>>, stored = false): Buffer {
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(files)) {
    const body = stored ? Buffer.from(content) : deflateRawSync(content);
    const sizes = Buffer.alloc(20);
    sizes.writeUInt16LE(stored ? 0 : 8, 2);
    sizes.writeUInt32LE(crc32(content), 8);
    sizes.writeUInt32LE(body.length, 12);
    sizes.writeUInt32LE(content.length, 16);
    const lengths = Buffer.from([name.length, 0, 0, 0]);
    const local = Buffer.concat([u32(0x04034b50), u16(20), sizes, lengths]);
    const place = Buffer.concat([Buffer.alloc(10), u32(at)]);
    entries.push(Buffer.concat([u32(0x02014b50), u16(20), u16(20), sizes, lengths, place, Buffer.from(name)]));
    parts.push(local, Buffer.from(name), body);
    at += local.length + name.length + body.length;
  }
  const directory = Buffer.concat(entries);
  const counts = Buffer.concat([Buffer.alloc(4), u16(entries.length), u16(entries.length)]);
  return Buffer.concat([...parts, directory, u32(0x06054b50), counts, u32(directory.length), u32(at), u16(0)]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
