import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** Node's own modules: no code that must be pure or replayable may reach them. */
const NODE_BUILTINS = { regex: '^node:', message: 'core/ and workflows/ are pure: no Node modules.' };

/** Which folder of src/ may import which: `zone(target, ...forbidden)`. */
const zone = (target, from, message) => ({ target: `./src/${target}`, from: from.map((f) => `./src/${f}`), message });

const BAN_CLOCKS = [
  {
    selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    message: 'core/ has no clock: take the time as an input.',
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'core/ has no clock: take the time as an input.',
  },
  { selector: "CallExpression[callee.object.name='performance']", message: 'core/ has no clock.' },
  {
    selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
    message: 'Use core/random: every draw is a function of (seed, generation, index, purpose).',
  },
  {
    selector:
      "CallExpression[callee.object.name='Math'][callee.property.name=/^(exp|expm1|log|log1p|log2|log10|pow|sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|asinh|acosh|atanh|cbrt|hypot)$/]",
    message: 'Engines differ in the last bit: use core/stats/math.ts.',
  },
  { selector: "BinaryExpression[operator='**']", message: 'Engines differ in the last bit: use core/stats/math.ts.' },
];

export default tseslint.config(
  { ignores: ['node_modules/**', 'coverage/**', 'dist/**', '.chimera/**', 'infra/**', 'templates/**'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: { 'import-x/resolver-next': [importX.createNodeResolver({ extensions: ['.ts', '.js', '.json'] })] },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-restricted-paths': [
        'error',
        {
          zones: [
            zone(
              'contracts',
              [
                'core',
                'workflows',
                'activities',
                'workers',
                'fabric',
                'effects',
                'learning',
                'stores',
                'gateway',
                'client',
                'cli',
                'devstack',
                'config',
                'telemetry',
              ],
              'contracts/ stands alone.',
            ),
            zone(
              'core',
              [
                'workflows',
                'activities',
                'workers',
                'fabric',
                'effects',
                'learning',
                'stores',
                'gateway',
                'client',
                'cli',
                'devstack',
                'config',
                'telemetry',
              ],
              'core/ imports contracts/ only.',
            ),
            zone(
              'workflows',
              [
                'workers',
                'fabric',
                'effects',
                'learning',
                'stores',
                'gateway',
                'client',
                'cli',
                'devstack',
                'config',
                'telemetry',
              ],
              'workflows/ import core/, contracts/ and activity types.',
            ),
            zone(
              'stores',
              [
                'workflows',
                'activities',
                'workers',
                'fabric',
                'effects',
                'learning',
                'gateway',
                'client',
                'cli',
                'devstack',
              ],
              'stores/ know rows and bytes only.',
            ),
            zone(
              'fabric',
              ['workflows', 'activities', 'workers', 'effects', 'stores', 'gateway', 'client', 'cli', 'devstack'],
              'fabric/ runs agents and nothing else.',
            ),
            zone(
              'effects',
              [
                'workflows',
                'activities',
                'workers',
                'fabric',
                'learning',
                'stores',
                'gateway',
                'client',
                'cli',
                'devstack',
                'config',
                'telemetry',
                'manifest',
              ],
              'effects/ reach into the world for agents and know no platform: contracts/ and core/ only.',
            ),
            zone(
              'learning',
              ['workflows', 'activities', 'workers', 'effects', 'stores', 'gateway', 'client', 'cli', 'devstack'],
              'learning/ trains and infers, no I/O of the platform.',
            ),
            zone(
              'activities',
              ['workflows', 'workers', 'gateway', 'client', 'cli', 'devstack'],
              'activities/ are called, they call nobody above them.',
            ),
            zone(
              'client',
              [
                'core',
                'workflows',
                'activities',
                'workers',
                'fabric',
                'effects',
                'learning',
                'stores',
                'gateway',
                'cli',
                'devstack',
                'config',
                'telemetry',
              ],
              'the client SDK ships alone with contracts/.',
            ),
          ],
        },
      ],
    },
  },
  {
    files: ['src/core/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...BAN_CLOCKS],
      'no-restricted-imports': ['error', { patterns: [NODE_BUILTINS] }],
      'no-restricted-globals': [
        'error',
        'process',
        'Buffer',
        'setTimeout',
        'setInterval',
        'fetch',
        'console',
        'crypto',
        'performance',
      ],
    },
  },
  {
    files: ['src/workflows/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            NODE_BUILTINS,
            { regex: '^@temporalio/(?!workflow$|common$)', message: 'Workflow code uses @temporalio/workflow only.' },
            { regex: '/activities/', allowTypeImports: true, message: 'Import activity types only.' },
          ],
        },
      ],
      'no-restricted-globals': ['error', 'process', 'Buffer', 'fetch', 'console', 'crypto', 'performance'],
    },
  },
  { files: ['test/**/*.ts'], rules: { '@typescript-eslint/no-unused-expressions': 'off' } },
  { files: ['*.js', '**/*.js'], ...tseslint.configs.disableTypeChecked },
);
