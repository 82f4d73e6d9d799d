/**
 * The double as a process of its own: `node test/support/s3double/main.ts '<setup as JSON>' [port]`. Prints
 * `{"endpoint": …}` on one line when it listens, and ends when it is killed.
 */
import { doubleSetup } from './setup.ts';
import { startDouble } from './server.ts';

const [, , setup = '{}', port = '0'] = process.argv;
const { endpoint } = await startDouble(doubleSetup.parse(JSON.parse(setup)), Number(port));
console.log(JSON.stringify({ endpoint }));
