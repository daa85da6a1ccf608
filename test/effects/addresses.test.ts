import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { mayConnect, parseReachable } from '../../src/effects/http/addresses.ts';

const NOTHING = parseReachable([]);

describe('the addresses that agents reach', () => {
  it('are public ones, however they are carried', () => {
    for (const address of [
      '93.184.216.34',
      '1.1.1.1',
      '2606:4700::1111',
      '::ffff:1.1.1.1',
      '64:ff9b::1.1.1.1',
      '2002:101:101::1',
    ])
      assert.equal(mayConnect(address, 443, NOTHING), true, address);
    // Server 65.54.227.120, client 192.0.2.45 turned (RFC 4380): the client is a documentation address; then a public one.
    assert.equal(mayConnect('2001:0:4136:e378:8000:63bf:3fff:fdd2', 443, NOTHING), false);
    assert.equal(mayConnect('2001:0:4136:e378:8000:63bf:fefe:fefe', 443, NOTHING), true);
    assert.equal(mayConnect('2001:0:7f00:1:8000:63bf:fefe:fefe', 443, NOTHING), false, 'a server on loopback');
    assert.equal(mayConnect('2606:4700::5efe:127.0.0.1', 443, NOTHING), false, 'ISATAP');
  });

  it('are never those that serve credentials, though a network holds them, unless each is named', () => {
    for (const address of ['169.254.169.254', '168.63.129.16', '100.100.100.200', 'fd00:ec2::254', 'fd20:ce::254']) {
      const all = parseReachable(['0.0.0.0/0', '::/0']);
      assert.equal(mayConnect(address, 80, all), false, address);
      assert.equal(mayConnect(address, 80, parseReachable([address])), true, address);
    }
    const everything = parseReachable(['0.0.0.0/0', '::/0']);
    assert.equal(mayConnect('::ffff:169.254.169.254', 80, everything), false);
    assert.equal(mayConnect('64:ff9b::a9fe:a9fe', 80, everything), false);
    assert.equal(mayConnect('2002:a9fe:a9fe::', 80, everything), false);
  });

  it('are those that the operator opened, at their port', () => {
    const open = parseReachable(['10.0.0.0/8:443', '127.0.0.1', '[fd00::/8]:8080', '[::1]:80', 'fc00::5']);
    const reached = (address: string, port: number): boolean => mayConnect(address, port, open);
    assert.deepEqual(
      [reached('10.255.0.1', 443), reached('10.255.0.1', 80), reached('11.0.0.1', 80)],
      [true, false, true],
    );
    assert.deepEqual(
      [reached('127.0.0.1', 1), reached('127.0.0.2', 1), reached('::ffff:127.0.0.1', 1)],
      [true, false, true],
    );
    assert.deepEqual([reached('fd12::1', 8080), reached('fd12::1', 80), reached('::1', 80)], [true, false, true]);
    assert.deepEqual([reached('fc00::5', 9), reached('fc00::6', 9), reached('fd00::1%lo', 8080)], [true, false, false]);
  });

  it('are opened in one notation, and all that is wrong is said at once', () => {
    const wrong = [
      'localhost',
      '10.0.0.0/33',
      '10.0.0.1:0',
      '10.0.0.1:99999',
      '0x7f.1',
      '127.1',
      '010.0.0.1',
      'fe80::1%lo',
      '[::1',
      '',
      '10.0.0.0/8/8',
      '10.0.0.0/',
      '::1/129',
    ];
    assert.throws(
      () => parseReachable(['10.0.0.1', ...wrong]),
      (error) => {
        assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'));
        assert.deepEqual(
          error.details.problems?.map(({ path }) => path),
          wrong.map((_, index) => `/${index + 1}`),
        );
        return true;
      },
    );
  });

  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
  const hex = (a: number, b: number): string => (a * 256 + b).toString(16);

  it('are judged alike in every disguise of an IPv4 address', () => {
    fc.assert(
      fc.property(octets, ([a, b, c, d]) => {
        const plain = mayConnect(`${a}.${b}.${c}.${d}`, 80, NOTHING);
        for (const disguise of [
          `::ffff:${a}.${b}.${c}.${d}`,
          `64:ff9b::${hex(a, b)}:${hex(c, d)}`,
          `2002:${hex(a, b)}:${hex(c, d)}::1`,
          `2001:0:${hex(1, 1)}:${hex(1, 1)}:0:0:${hex(255 - a, 255 - b)}:${hex(255 - c, 255 - d)}`,
        ])
          assert.equal(mayConnect(disguise, 80, NOTHING), plain, disguise);
        assert.equal(mayConnect(`::${a}.${b}.${c}.${d}`, 80, NOTHING), false, 'IPv4-compatible');
      }),
    );
  });

  it('are none of the ranges that are not for the public internet', () => {
    const special: [number, number, number][] = [
      [0, 0, 8],
      [10, 0, 8],
      [100, 64, 10],
      [127, 0, 8],
      [169, 254, 16],
      [172, 16, 12],
      [192, 168, 16],
      [198, 18, 15],
      [224, 0, 4],
      [240, 0, 4],
    ];
    fc.assert(
      fc.property(fc.constantFrom(...special), fc.nat(0xffffffff), ([a, b, bits], host) => {
        const mask = bits === 32 ? 0 : 0xffffffff >>> bits;
        const value = ((a << 24) | (b << 16) | (host & mask)) >>> 0;
        const address = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
        assert.equal(mayConnect(address, 80, NOTHING), false, address);
      }),
    );
  });
});
