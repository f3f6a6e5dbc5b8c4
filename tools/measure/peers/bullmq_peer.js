// No-op jobs in bullmq, for tools/bench peers.  The packages are those of the folder RV_BENCH_PEERS.
//
// bullmq_peer.js SOCKET add N     enqueues them, many in one call
// bullmq_peer.js SOCKET work C    one worker, C jobs at a time; ends when the queue is empty
// bullmq_peer.js SOCKET ends      prints when each job ended, seconds since 1970, as JSON
const { createRequire } = require('module');
const peers = createRequire(process.env.RV_BENCH_PEERS + '/');
const Redis = peers('ioredis');
const { Queue, Worker } = peers('bullmq');

const AT_ONCE = 1000;
const [path, verb, count] = process.argv.slice(2);
const connection = new Redis({ path, maxRetriesPerRequest: null });

async function add() {
  const queue = new Queue('noop', { connection });
  for (let first = 0; first < Number(count); first += AT_ONCE) {
    const size = Math.min(AT_ONCE, Number(count) - first);
    await queue.addBulk(Array.from({ length: size }, () => ({ name: 'noop', data: {} })));
  }
  await queue.close();
}

async function work() {
  const worker = new Worker('noop', async () => {}, { connection, concurrency: Number(count) });
  await new Promise((resolve, reject) => {
    worker.on('drained', resolve);
    worker.on('error', reject);
  });
  await worker.close();
}

async function ends() {
  const queue = new Queue('noop', { connection });
  const jobs = await queue.getCompleted();
  console.log(JSON.stringify(jobs.map((job) => job.finishedOn / 1000)));
  await queue.close();
}

({ add, work, ends })[verb]().then(() => connection.quit()).catch((error) => {
  console.error(error);
  process.exit(1);
});
