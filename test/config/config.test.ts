import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeConfig, loadConfig } from '../../src/config/config.ts';
import { defaultCacheDir, defaultHome } from '../../src/config/paths.ts';
import { envExample, flagKey, flagName } from '../../src/config/settings.ts';
import { isChimeraError } from '../../src/contracts/errors.ts';

describe('configuration', () => {
  let folder: string;
  const file = (text: string): string => {
    const path = join(folder, 'chimera.yaml');
    writeFileSync(path, text);
    return path;
  };
  const problemsOf = (load: () => unknown): string[] => {
    try {
      load();
    } catch (error) {
      assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
      return (error.details.problems ?? []).map(({ path, message }) => `${path}: ${message}`);
    }
    return [];
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'chimera-config-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('has a default for everything that one machine needs', () => {
    const config = loadConfig({ env: { CHIMERA_HOME: '/data' } });
    assert.equal(config.project, 'default');
    assert.deepEqual(config.artifacts, { kind: 'directory', path: '/data/artifacts' });
    assert.deepEqual(config.gateway, { host: '127.0.0.1', port: 8787 });
    assert.deepEqual(config.temporal, { namespace: 'default' });
    assert.ok(config.workers.poolSize >= 1);
    assert.deepEqual(config.encryptionKeys, []);
  });

  it('lets the file win over defaults, the environment over the file, and flags over all', () => {
    const path = file('gateway:\n  port: 1001\n  host: file.example\nlogLevel: warn\nproject: from-file\n');
    const config = loadConfig({
      file: path,
      env: { CHIMERA_GATEWAY_PORT: '1002', CHIMERA_PROJECT: 'from-env', CHIMERA_LOG_LEVEL: '' },
      flags: { gatewayPort: '1003', verbose: true },
    });
    assert.deepEqual(config.gateway, { host: 'file.example', port: 1003 });
    assert.equal(config.project, 'from-env');
    assert.equal(config.logLevel, 'warn', 'an empty variable is an unset one');
  });

  it('finds the file by CHIMERA_CONFIG', () => {
    assert.equal(loadConfig({ env: { CHIMERA_CONFIG: file('project: here\n') } }).project, 'here');
  });

  it('reports every problem of every source at once, with source and key', () => {
    const path = file('gateway:\n  port: 70000\nworkers: {count: 0}\ngatway: {host: x}\nproject: Upper\n');
    const problems = problemsOf(() =>
      loadConfig({
        file: path,
        env: {
          DATABASE_URL: 'mysql://x',
          S3_ENDPOINT: 'ftp://x',
          AWS_ACCESS_KEY_ID: 'id',
          TEMPORAL_ADDRESS: 'nowhere',
        },
        flags: { logLevel: 'loud' },
      }),
    );
    assert.deepEqual(
      problems.sort(),
      [
        'environment AWS_ACCESS_KEY_ID: the access key and the secret key of S3 go together: set both or neither',
        'environment DATABASE_URL: must be a postgres:// URL',
        'environment S3_ENDPOINT: must be an http:// or https:// URL',
        'environment TEMPORAL_ADDRESS: must be host:port',
        'flag --log-level: must be trace, debug, info, warn, error or silent',
        `${path} gatway.host: is not a setting`,
        `${path} gateway.port: must be 0 to 65535`,
        `${path} project: must be 1 to 64 of a-z, 0-9 and -, beginning with a letter or digit`,
        `${path} workers.count: must be at least 1`,
      ].sort(),
    );
  });

  it('says what is wrong with the file itself', () => {
    assert.match(
      problemsOf(() => loadConfig({ file: join(folder, 'none.yaml'), env: {} }))[0]!,
      /there is no such file/,
    );
    assert.equal(problemsOf(() => loadConfig({ file: file('a: [1\nb: 2'), env: {} })).length > 0, true);
    assert.deepEqual(
      problemsOf(() => loadConfig({ file: file(''), env: {} })),
      [],
    );
  });

  it('switches S3 on by endpoint or bucket, never by AWS variables alone', () => {
    const aws = { AWS_ACCESS_KEY_ID: 'id', AWS_REGION: 'eu-central-1' };
    assert.equal(loadConfig({ env: aws }).artifacts.kind, 'directory');
    const env = { ...aws, AWS_SECRET_ACCESS_KEY: 'secret', S3_ENDPOINT: 'http://127.0.0.1:9000' };
    assert.deepEqual(loadConfig({ env }).artifacts, {
      kind: 's3',
      endpoint: 'http://127.0.0.1:9000',
      bucket: 'chimera',
      prefix: '',
      region: 'eu-central-1',
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    });
    assert.deepEqual(loadConfig({ env: { S3_BUCKET: 'mine' } }).artifacts, {
      kind: 's3',
      bucket: 'mine',
      prefix: '',
      region: 'us-east-1',
    });
  });

  it('reads encryption keys in order', () => {
    const key = Buffer.alloc(32, 7).toString('base64');
    const { encryptionKeys } = loadConfig({ env: { CHIMERA_ENCRYPTION_KEYS: `b:${key},a:${key}` } });
    assert.deepEqual(encryptionKeys, [
      { id: 'b', key },
      { id: 'a', key },
    ]);
    assert.equal(problemsOf(() => loadConfig({ env: { CHIMERA_ENCRYPTION_KEYS: 'a:short' } })).length, 1);
  });

  it('describes every setting with its source and no secret', () => {
    const env = { DATABASE_URL: 'postgres://me:hush@db/x', CHIMERA_API_KEY: 'hush', CHIMERA_HOME: '/data' };
    const report = describeConfig({ env, flags: { gatewayPort: 1 } });
    assert.equal(JSON.stringify(report).includes('hush'), false);
    const find = (key: string): unknown => report.find((line) => line.key === key);
    assert.deepEqual(find('gateway.port'), { key: 'gateway.port', value: '1', source: 'flag --gateway-port' });
    assert.deepEqual(find('databaseUrl'), {
      key: 'databaseUrl',
      value: 'postgres://me:********@db/x',
      source: 'environment DATABASE_URL',
    });
    assert.deepEqual(find('artifacts.path'), { key: 'artifacts.path', value: '/data/artifacts', source: 'default' });
  });

  it('names flags as people and option parsers do', () => {
    assert.equal(flagName('telemetry.otlpEndpoint'), 'telemetry-otlp-endpoint');
    assert.equal(flagKey('telemetry.otlpEndpoint'), 'telemetryOtlpEndpoint');
  });

  it('keeps .env.example in step', () => {
    assert.equal(readFileSync(new URL('../../.env.example', import.meta.url), 'utf8'), envExample());
  });

  it("picks the user's own directories, and for root one that others can enter", () => {
    const linux = { platform: 'linux', uid: 1000, homeDir: '/home/ada' } as const;
    assert.equal(defaultHome({}, linux), '/home/ada/.local/state/chimera');
    assert.equal(defaultHome({ XDG_STATE_HOME: '/s' }, linux), '/s/chimera');
    assert.equal(defaultHome({}, { ...linux, uid: 0, homeDir: '/root' }), '/var/lib/chimera');
    assert.equal(defaultCacheDir({}, linux), '/home/ada/.cache/chimera');
    const mac = { platform: 'darwin', uid: 501, homeDir: '/Users/ada' } as const;
    assert.equal(defaultHome({}, mac), '/Users/ada/Library/Application Support/chimera');
    assert.equal(defaultCacheDir({}, mac), '/Users/ada/Library/Caches/chimera');
  });
});
