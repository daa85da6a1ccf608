// SHA-256 (FIPS 180-4) of a message of 64 KiB, its constants derived from the first 64 primes.

const K = new StaticArray<u32>(64);
const H0 = new StaticArray<u32>(8);
const H = new StaticArray<u32>(8);
const W = new StaticArray<u32>(64);
const message = new StaticArray<u8>(65536 + 64);

function fraction(root: f64): u32 {
  return ((root - Math.floor(root)) * 4294967296.0) as u32;
}

function prepare(): void {
  let found = 0;
  for (let candidate = 2; found < 64; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor == 0) prime = false;
    if (!prime) continue;
    if (found < 8) H0[found] = fraction(Math.sqrt(candidate));
    K[found++] = fraction(Math.cbrt(candidate));
  }
}

@inline function rotate(x: u32, by: u32): u32 {
  return rotr<u32>(x, by);
}

function compress(offset: i32): void {
  for (let t = 0; t < 16; t++) {
    const at = offset + t * 4;
    W[t] = ((message[at] as u32) << 24) | ((message[at + 1] as u32) << 16) | ((message[at + 2] as u32) << 8) | message[at + 3];
  }
  for (let t = 16; t < 64; t++) {
    const w15 = W[t - 15];
    const w2 = W[t - 2];
    const s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3);
    const s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10);
    W[t] = W[t - 16] + s0 + W[t - 7] + s1;
  }
  let a = H[0], b = H[1], c = H[2], d = H[3], e = H[4], f = H[5], g = H[6], h = H[7];
  for (let t = 0; t < 64; t++) {
    const t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + W[t];
    const t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  H[0] += a;
  H[1] += b;
  H[2] += c;
  H[3] += d;
  H[4] += e;
  H[5] += f;
  H[6] += g;
  H[7] += h;
}

export function run(rounds: i32): i32 {
  if (K[0] == 0) prepare();
  let result = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 65536; i++) message[i] = (i * 7 + round) as u8;
    for (let i = 65536; i < message.length; i++) message[i] = 0;
    message[65536] = 0x80;
    message[message.length - 3] = 8;
    for (let i = 0; i < 8; i++) H[i] = H0[i];
    for (let offset = 0; offset < message.length; offset += 64) compress(offset);
    result ^= H[0];
  }
  return result;
}
