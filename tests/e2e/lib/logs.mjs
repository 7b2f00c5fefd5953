// What servers, tools and browser pages said, shown only when a test fails.

const logs = [];

/// A log under a name. Everything appended to it is printed once, by the first test that fails
/// afterwards; `text` keeps all of it for assertions.
export function openLog(name) {
  const log = {
    text: '',
    printedChars: 0,
    append(chunk) {
      log.text += chunk;
    },
  };
  logs.push({ name, log });
  return log;
}

function printLogs() {
  for (const { name, log } of logs) {
    const unseen = log.text.slice(log.printedChars).trimEnd();
    log.printedChars = log.text.length;
    if (unseen) console.error(`---- ${name} ----\n${unseen}\n`);
  }
}

// A server that was refused what it needs goes on, and so might the test: the file fails all the same.
process.on('exit', () => {
  const refused = logs.filter(({ log }) => log.text.includes('call_refused'));
  if (refused.length === 0) return;
  printLogs();
  console.error(`the sandbox has refused a system call: ${refused.map(({ name }) => name).join(', ')}`);
  process.exitCode = 1;
});

/// Wraps a test or hook so that its failure prints the logs.
export function explained(body) {
  return async (context) => {
    try {
      await body(context);
    } catch (error) {
      printLogs();
      throw error;
    }
  };
}
