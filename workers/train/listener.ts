import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { parseShimMessage, readExitRecord, type ExitRecord } from './exitrecord.ts';

/** How the command ended, as far as anybody can tell. */
export type CommandEnd =
  | { readonly kind: 'exited'; readonly record: ExitRecord }
  /** The shim went away without a word: the container was killed as a whole. */
  | { readonly kind: 'killed'; readonly startTime: string | undefined };

const longestLine = 65_536;
/** The shim needs one; whatever else of the user's container connects must not use up our file descriptors. */
const mostConnections = 64;

/**
 * Listens for the shim on a unix socket and waits for the command's end. The shim may connect late, connect again, or
 * have written its exit record before anybody listened.
 */
export class ShimListener {
  readonly #socketPath: string;
  readonly #recordPath: string;
  readonly #lostShim: number;
  readonly #onStart: () => void;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections on which the shim has spoken. */
  readonly #shims = new Set<Socket>();
  readonly #end = Promise.withResolvers<CommandEnd>();
  #startTime: string | undefined;
  #connected = false;
  #lost: NodeJS.Timeout | undefined;

  /** `lostShim`: milliseconds for which a shim that went away may come back. `onStart` is called once. */
  constructor(
    paths: { socket: string; exitRecord: string },
    lostShim: number,
    onStart: () => void = () => undefined,
  ) {
    this.#onStart = onStart;
    this.#socketPath = paths.socket;
    this.#recordPath = paths.exitRecord;
    this.#lostShim = lostShim;
    this.#server = createServer((socket) => this.#follow(socket));
    this.#server.maxConnections = mostConnections;
  }

  /** The command's end. Never rejects. */
  get ended(): Promise<CommandEnd> {
    return this.#end.promise;
  }

  /** When the command was started; undefined while it has not been. */
  get startTime(): string | undefined {
    return this.#startTime;
  }

  /** Whether the shim has ever been there. */
  get connected(): boolean {
    return this.#connected;
  }

  async listen(): Promise<void> {
    await rm(this.#socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#socketPath, resolve);
    });
    // The user's image may run as any user.
    await chmod(this.#socketPath, 0o666);
    await this.#readRecord();
  }

  close(): void {
    clearTimeout(this.#lost);
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #readRecord(): Promise<boolean> {
    const record = await readExitRecord(this.#recordPath);
    if (record !== undefined) this.#end.resolve({ kind: 'exited', record });
    return record !== undefined;
  }

  #follow(socket: Socket): void {
    this.#sockets.add(socket);
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const message = parseShimMessage(line);
        if (message === undefined) continue;
        this.#shims.add(socket);
        this.#connected = true;
        clearTimeout(this.#lost);
        if (message.type === 'start' && this.#startTime === undefined) {
          this.#startTime = message.time;
          this.#onStart();
        }
        if (message.type === 'exit') this.#end.resolve({ kind: 'exited', record: message.exit });
      }
      if (rest.length > longestLine) socket.destroy();
    });
    // A connection that breaks says nothing that 'close' does not.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      // A shim that came back may have spoken before the end of its old connection is seen.
      if (this.#shims.delete(socket) && this.#shims.size === 0) this.#awaitReturn();
    });
  }

  #awaitReturn(): void {
    clearTimeout(this.#lost);
    this.#lost = setTimeout(() => void this.#giveUp(), this.#lostShim);
  }

  async #giveUp(): Promise<void> {
    if (await this.#readRecord()) return;
    this.#end.resolve({ kind: 'killed', startTime: this.#startTime });
  }
}
