// No-op jobs in plainjob on better-sqlite3, for tools/bench peers.  The packages are those of the
// folder RV_BENCH_PEERS.  WAL and synchronous = FULL in every connection: plainjob itself sets NORMAL.
//
// plainjob_peer.mjs FILE add N     enqueues them, many in one call
// plainjob_peer.mjs FILE work      one worker; ends when no job is left; prints when each of its
//                                  jobs ended, seconds since 1970, as JSON
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const peers = createRequire(process.env.RV_BENCH_PEERS + '/');
const Database = peers('better-sqlite3');
const { better, defineQueue, defineWorker, JobStatus } = await import(pathToFileURL(peers.resolve('plainjob')));

const AT_ONCE = 1000;
const LOOK_MS = 50; // the worker gives way to this look only when it found nothing
const [file, verb, count] = process.argv.slice(2);
const quiet = { debug() {}, info() {}, warn: console.warn, error: console.error };

const database = new Database(file);
const queue = defineQueue({ connection: better(database), logger: quiet });
database.pragma('synchronous = FULL');
database.pragma('busy_timeout = 60000'); // after its own 5 s a worker that waits for the others ends
const durable = [database.pragma('journal_mode', { simple: true }), database.pragma('synchronous', { simple: true })];
if (durable[0] !== 'wal' || durable[1] !== 2) {
  throw new Error(`this would not be equally durable: journal_mode, synchronous = ${durable}`);
}

if (verb === 'add') {
  for (let first = 0; first < Number(count); first += AT_ONCE) {
    queue.addMany('noop', new Array(Math.min(AT_ONCE, Number(count) - first)).fill({}));
  }
} else {
  const ends = [];
  const onCompleted = () => ends.push((performance.timeOrigin + performance.now()) / 1000);
  const worker = defineWorker('noop', async () => {}, { queue, logger: quiet, onCompleted });
  const left = () => queue.countJobs({ status: JobStatus.Pending }) + queue.countJobs({ status: JobStatus.Processing });
  const done = worker.start();
  const look = setInterval(() => left() === 0 && worker.stop(), LOOK_MS);
  await done;
  clearInterval(look);
  console.log(JSON.stringify(ends));
}
queue.close();
