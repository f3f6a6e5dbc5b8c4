#!/usr/bin/env node
// A pipe handler for Node: counts the words of a text, and of one that arrives as the payload.
//
//     [task:words]
//     handler = pipe
//     command = node /usr/share/doc/reeve/examples/pipe/handler.js
//
//     reeve add words text="one two three"
//
// Jobs come on stdin and answers go to descriptor 3, a line of JSON each (docs/PROTOCOL.md, Pipe
// handlers).  With "ahead" several jobs are on their way at once: "log" says whose output a line is,
// console.log() would not.  It says "cancel": it hears of a cancel, or a timeout, while it waits for something.
'use strict';
const fs = require('fs');

const answers = Number(process.env.REEVE_ANSWER_FD);
const say = (line) => fs.writeSync(answers, JSON.stringify(line) + '\n');

// What one job does; what it returns is the result of the job.  signal tells that it is to stop.
async function words(job, log, signal) {
  const text = job.args.text ?? job.payload ?? '';
  if (text === '') throw Object.assign(new Error('there is no text to count'), { permanent: true });
  log(`counting ${text.length} characters`);
  if (job.args.ms) await pause(Number(job.args.ms), signal);
  return { words: text.split(/\s+/).filter(Boolean).length };
}

function pause(ms, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      failed(new Error('stopped'));
    });
  });
}

let running = null; // the job, and how to stop it
let last = Promise.resolve(); // jobs are done, and answered, one after the other

async function run(job) {
  const about = { job: job.job, run: job.run };
  running = { job: job.job, abort: new AbortController() };
  try {
    const result = await words(job, (log) => say({ ...about, log }), running.abort.signal);
    say({ ...about, ok: true, result });
  } catch (error) {
    say({ ...about, ok: false, error: error.message, permanent: error.permanent === true });
  }
  running = null;
}

let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  for (const line of lines) {
    const job = JSON.parse(line);
    if (job.health !== undefined) {
      last = last.then(() => say(job)); // "are you well?": yes is the line sent back
    } else if (job.cancel !== undefined) {
      if (running !== null && running.job === job.cancel) running.abort.abort();
    } else {
      last = last.then(() => run(job));
    }
  }
});
say({ reeve: 1, ahead: 32, cancel: true, health: true });
