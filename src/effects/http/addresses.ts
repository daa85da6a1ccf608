import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';
import { invalidInput, type Problem } from '../../contracts/errors.ts';

/**
 * Which addresses the host may connect to for an agent: public unicast ones, and what the operator opened beside them. An
 * address that carries another one (IPv4-mapped, NAT64, 6to4, Teredo, ISATAP) is judged by what it carries.
 */

type Address = ReturnType<typeof ipaddr.parse>;

interface Opening {
  readonly network: Address;
  readonly bits: number;
  /** Undefined: every port. */
  readonly port: number | undefined;
  /** Names one address, not a network. */
  readonly exact: boolean;
}

/** Addresses and networks that the operator opened: see {@link parseReachable}. */
export type Reachable = readonly Opening[];

/** What hands out credentials of the machine or configures it: never reached as part of a network, only where it is named. */
const METADATA = new Set(
  [
    // AWS, GCP, Azure, and most others; the tasks of ECS, the pods of EKS; Scaleway
    ...['169.254.169.254', '169.254.170.2', '169.254.170.23', '169.254.42.42'],
    ...['fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254', 'fd00:42::42'],
    // Azure's WireServer, a public address; Alibaba; Oracle
    ...['168.63.129.16', '100.100.100.200', '192.0.0.192'],
  ].map((text) => ipaddr.parse(text).toNormalizedString()),
);

/** Global unicast as IANA assigns it (RFC 4291, section 2.4): what lies beyond is special even where no list names it. */
const GLOBAL_V6 = ipaddr.IPv6.parseCIDR('2000::/3');
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

const v4 = (high: number, low: number): Address => new ipaddr.IPv4([high >> 8, high & 255, low >> 8, low & 255]);

/** The addresses inside `address`; none where it is what it seems. */
function carried(address: Address): Address[] {
  if (address instanceof ipaddr.IPv4) return [];
  const p = address.parts as [number, number, number, number, number, number, number, number];
  if (address.isIPv4MappedAddress() || address.match(NAT64)) return [v4(p[6], p[7])];
  switch (address.range()) {
    case '6to4':
      return [v4(p[1], p[2])];
    case 'teredo':
      // RFC 4380, section 4: the server, and the client with every bit turned.
      return [v4(p[2], p[3]), v4(p[6] ^ 0xffff, p[7] ^ 0xffff)];
    default:
      // RFC 5214, section 6.1.
      return (p[4] === 0 || p[4] === 0x200) && p[5] === 0x5efe ? [v4(p[6], p[7]), address] : [];
  }
}

const isPublic = (address: Address): boolean =>
  address.range() === 'unicast' && (address instanceof ipaddr.IPv4 || address.match(GLOBAL_V6));

function opens({ network, bits, port, exact }: Opening, address: Address, target: number, metadata: boolean): boolean {
  if (port !== undefined && port !== target) return false;
  return address.kind() === network.kind() && address.match(network, bits) && (exact || !metadata);
}

function permitted(address: Address, port: number, reachable: Reachable): boolean {
  const metadata = METADATA.has(address.toNormalizedString());
  return (isPublic(address) && !metadata) || reachable.some((opening) => opens(opening, address, port, metadata));
}

/**
 * Parses an IPv4 or IPv6 address without a zone. IPv6 goes through the URL parser first: ipaddr.js takes `::1.2.3.4`, which the
 * system routes as IPv6, for the mapped `::ffff:1.2.3.4`.
 */
function parseAddress(text: string): Address | undefined {
  switch (text.includes('%') ? 0 : isIP(text)) {
    case 4:
      return ipaddr.parse(text);
    case 6:
      return ipaddr.parse(new URL(`http://[${text}]`).hostname.slice(1, -1));
    default:
      return undefined;
  }
}

/** May a connection be opened to `address` (IPv4 or IPv6 in its usual notation, without a zone) and `port`? */
export function mayConnect(address: string, port: number, reachable: Reachable): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined) return false;
  const inside = carried(parsed);
  return (inside.length === 0 ? [parsed] : inside).every((one) => permitted(one, port, reachable));
}

/**
 * Reads what the operator opens: `10.1.2.3`, `10.0.0.0/8`, `10.0.0.0/8:443`, `[fd00::/8]:8080`, `fd00::1`. Throws
 * `CHIMERA_INVALID_INPUT` with every problem.
 */
export function parseReachable(entries: readonly string[]): Reachable {
  const problems: Problem[] = [];
  const openings = entries.flatMap((entry, index) => {
    const opening = parseOpening(entry);
    if (opening === undefined) {
      problems.push({
        path: `/${index}`,
        message: `${entry} is not ADDRESS[/BITS][:PORT], an IPv6 one in [] before a port`,
      });
    }
    return opening ?? [];
  });
  if (problems.length > 0) throw invalidInput('the list of reachable addresses', problems);
  return openings;
}

function parseOpening(entry: string): Opening | undefined {
  const [, bracketed, plain, port] =
    /^(?:\[([^\]]+)\]|([^[\]:]+|[^[\]]*:[^[\]]*:[^[\]]*))(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const [address = '', bits, ...rest] = (bracketed ?? plain ?? '').split('/');
  const network = parseAddress(address);
  if (network === undefined || rest.length > 0) return undefined;
  const width = network.kind() === 'ipv4' ? 32 : 128;
  if (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= width)) return undefined;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return undefined;
  const opening = { network, bits: Number(bits ?? width), port: port === undefined ? undefined : Number(port) };
  return { ...opening, exact: opening.bits === width };
}
