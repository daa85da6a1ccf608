/** `node stack-owner.ts HOME`: brings up a stack, says so, and waits to be killed. */
import { startStack } from '../../src/devstack/stack.ts';
import { testConfig } from '../helpers/stack.ts';

const [home] = process.argv.slice(2);
if (home === undefined) throw new Error('usage: stack-owner.ts HOME');
const stack = await startStack(testConfig(home), { fast: true });
stack.publish({ gateway: 'http://127.0.0.1:1' });
process.once('SIGTERM', () => void stack.stop().then(() => process.exit(0)));
process.stdout.write('up\n');
setInterval(() => {}, 1000);
