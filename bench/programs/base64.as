// Base64 (RFC 4648) there and back, by tables of bytes.

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const SIZE = 30000;
const encodeTable = new StaticArray<u8>(64);
const decodeTable = new StaticArray<u8>(256);
const input = new StaticArray<u8>(SIZE);
const encoded = new StaticArray<u8>((SIZE / 3) * 4);
const decoded = new StaticArray<u8>(SIZE);

function prepare(): void {
  for (let i = 0; i < 64; i++) {
    const letter = LETTERS.charCodeAt(i);
    encodeTable[i] = letter as u8;
    decodeTable[letter] = i as u8;
  }
}

function encode(): i32 {
  let to = 0;
  for (let from = 0; from + 2 < input.length; from += 3) {
    const bits = ((input[from] as u32) << 16) | ((input[from + 1] as u32) << 8) | input[from + 2];
    encoded[to++] = encodeTable[bits >>> 18];
    encoded[to++] = encodeTable[(bits >>> 12) & 63];
    encoded[to++] = encodeTable[(bits >>> 6) & 63];
    encoded[to++] = encodeTable[bits & 63];
  }
  return to;
}

function decode(length: i32): i32 {
  let to = 0;
  for (let from = 0; from < length; from += 4) {
    const bits =
      ((decodeTable[encoded[from]] as u32) << 18) |
      ((decodeTable[encoded[from + 1]] as u32) << 12) |
      ((decodeTable[encoded[from + 2]] as u32) << 6) |
      decodeTable[encoded[from + 3]];
    decoded[to++] = (bits >>> 16) as u8;
    decoded[to++] = (bits >>> 8) as u8;
    decoded[to++] = bits as u8;
  }
  return to;
}

export function run(rounds: i32): i32 {
  prepare();
  let result = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < SIZE; i++) input[i] = (i * i + round) as u8;
    const length = decode(encode());
    for (let i = 0; i < length; i++) if (decoded[i] != input[i]) return -1;
    result = result * 31 + encoded[round % encoded.length];
  }
  return result;
}
