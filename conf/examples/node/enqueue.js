// Puts a job into a store of reeve by plain SQL: a row of reeve_inbox, which the keeper takes within
// a second (docs/LIBRARY.md).  Needs no package: whatever speaks SQLite here is used.
//
//	node enqueue.js STORE TASK [NAME=VALUE ...]
//
// As a module: const { enqueue } = require("./enqueue.js"); await enqueue(store, "thumbnail", { in:
// "a.png" }, { key: "tenant-7" }) gives the ticket.
"use strict";
const { spawn } = require("node:child_process");
const { existsSync } = require("node:fs");

const INSERT = "INSERT INTO reeve_inbox(task, args, options) VALUES (?1, ?2, ?3) RETURNING id";
const WAIT_MS = 10000; // others write, too

// What is not there is undefined; what is there and broken is an error.
function load(name) {
	try {
		return require(name);
	} catch (error) {
		if (["MODULE_NOT_FOUND", "ERR_UNKNOWN_BUILTIN_MODULE"].includes(error.code)) return undefined;
		throw error;
	}
}

// Node 22 and later; better-sqlite3 has the same two calls.
function byConnection(db, values) {
	try {
		// reeve checkpoints by itself: SQLite before 3.51.3 may lose commits where another does.
		db.exec(`PRAGMA busy_timeout = ${WAIT_MS}; PRAGMA wal_autocheckpoint = 0`);
		return db.prepare(INSERT).get(...values).id;
	} finally {
		db.close();
	}
}

// Debian's node-sqlite3, for Debian's own nodejs.
function byCallbacks(sqlite3, store, values) {
	return new Promise((resolve, reject) => {
		const db = new sqlite3.Database(store, sqlite3.OPEN_READWRITE, (error) => {
			if (error) return reject(error);
			db.configure("busyTimeout", WAIT_MS);
			db.exec("PRAGMA wal_autocheckpoint = 0", (failed) => {
				if (failed) return db.close(() => reject(failed));
				db.get(INSERT, values, (wrong, row) => db.close(() => (wrong ? reject(wrong) : resolve(row.id))));
			});
		});
	});
}

// A text for the shell's .parameter: quoted for SQL, and the whole of it as one word of the command.
function word(value) {
	if (value === null) return '"NULL"';
	const sql = `'${value.replaceAll("'", "''")}'`;
	return `"${sql.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

// Debian's sqlite3, a program: no binding at all.  Values are bound, never made part of the SQL; as
// JSON they have no line breaks, and a task's name has none.
function byShell(store, values) {
	return new Promise((resolve, reject) => {
		const shell = spawn("sqlite3", ["-batch", "-bail", store]);
		let out = "";
		let err = "";
		shell.stdout.on("data", (text) => (out += text));
		shell.stderr.on("data", (text) => (err += text));
		shell.on("error", reject);
		shell.on("close", (code) => {
			const id = Number(out.trim().split("\n").pop());
			if (code === 0 && err === "" && id > 0) resolve(id);
			else reject(new Error(err.trim() || `sqlite3 ended with ${code}`));
		});
		shell.stdin.end(
			`.timeout ${WAIT_MS}\n.dbconfig no_ckpt_on_close on\n.output /dev/null\n` +
				"PRAGMA wal_autocheckpoint = 0;\n.output stdout\n.parameter init\n" +
				values.map((value, i) => `.parameter set ?${i + 1} ${word(value)}\n`).join("") +
				`${INSERT};\n`
		);
	});
}

// The row is committed when this resolves; what cannot be a job stays there with its error.
async function enqueue(store, task, args = {}, options = {}) {
	if (typeof task !== "string" || /[\n\r\0]/.test(task)) throw new TypeError("a task is a line of text");
	if (!existsSync(store)) throw new Error(`there is no store at ${store}`); // else SQLite would make a file
	const values = [task, JSON.stringify(args), JSON.stringify(options)];
	const builtin = load("node:sqlite");
	if (builtin) return byConnection(new builtin.DatabaseSync(store), values);
	const callbacks = load("sqlite3");
	if (callbacks) return byCallbacks(callbacks, store, values);
	const better = load("better-sqlite3");
	if (better) return byConnection(new better(store, { fileMustExist: true }), values);
	return byShell(store, values);
}

async function main([store, task, ...words]) {
	if (!store || !task || words.some((pair) => !pair.includes("="))) {
		console.error("usage: node enqueue.js STORE TASK [NAME=VALUE ...]");
		return 2;
	}
	const args = Object.fromEntries(words.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
	console.log(await enqueue(store, task, args));
	return 0;
}

module.exports = { enqueue, byShell };
if (require.main === module) {
	main(process.argv.slice(2)).then(
		(code) => (process.exitCode = code),
		(error) => {
			console.error(`enqueue.js: ${error.message}`);
			process.exitCode = 1;
		}
	);
}
