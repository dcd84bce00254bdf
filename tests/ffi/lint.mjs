// ESLint's recommended rules find nothing, nor does TypeScript in the types. usage: node lint.mjs BINDING-DIRECTORY

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const MISSING = 77;
const directory = process.argv[2];
const project = join(process.env.LIBSOCK_BUILD, 'ffi-node');
const require = createRequire(join(project, 'package.json'));
let eslint, js, typescript;
try {
  [eslint, js, typescript] = [require('eslint'), require('@eslint/js'), require.resolve('typescript/package.json')];
  require.resolve('@types/node/package.json');
} catch (error) {
  console.log(`${error.message.split('\n')[0]}: npm install --prefix ${project} eslint @eslint/js typescript @types/node`);
  process.exit(MISSING);
}

const globals = ['Buffer', 'process', 'console', 'AbortController', 'AbortSignal', 'setTimeout', 'gc'].map((name) => [name, 'readonly']);
const linter = new eslint.ESLint({
  cwd: directory,
  overrideConfigFile: true,
  overrideConfig: [js.configs.recommended, { languageOptions: { globals: Object.fromEntries(globals) } }],
});
const found = await linter.lintFiles(['*.mjs']);
const words = await (await linter.loadFormatter()).format(found);
if (words) {
  console.log(words);
  process.exit(1);
}

// The declarations agree with themselves, and with a use of them.
const scratch = mkdtempSync(join(project, 'types-'));
try {
  cpSync(join(directory, 'sock.d.mts'), join(scratch, 'sock.d.mts'));
  writeFileSync(join(scratch, 'use.mts'), `import { Socket, within } from './sock.mjs';
await using connection: Socket = await Socket.dial('localhost', 7007, 5, { signal: AbortSignal.timeout(1) });
const line: Buffer | null = await within(2, () => connection.recvLine({ delimiter: '\\n' }));
const count: number = await connection.recvAll(new Uint8Array(2)), data: Buffer = await connection.recvAll(2);
for await (const one of connection.lines()) await connection.sendAll(one);
export { line, count, data };
`);
  const options = ['--strict', '--noEmit', '--target', 'esnext', '--module', 'nodenext', '--types', 'node', '--typeRoots'];
  execFileSync(process.execPath, [join(typescript, '../bin/tsc'), ...options, join(project, 'node_modules/@types'),
    join(scratch, 'use.mts')], { stdio: 'inherit' });
} catch {
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true });
}
