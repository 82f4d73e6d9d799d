import { connect, isIP, type OnReadOpts, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { tls } from './builtins.ts';
import { Connection, type ConnectionOwner, type Receiver, type WholeRequest } from './connection.ts';

/** Milliseconds after which an idle connection is not used again: many servers close theirs after 5 s. */
const idleTime = 4_000;

export interface ConnectionsOptions {
  /** `https://host[:port]` or `http://…`. */
  readonly origin: string;
  /** Whom to trust; undefined: whom Node trusts. */
  readonly trust: SecureContext | undefined;
}

/** The connections to one host: as many as there are requests under way at a time. */
export class Connections implements ConnectionOwner {
  readonly #origin: URL;
  readonly #trust: SecureContext | undefined;
  readonly #all = new Set<Connection>();
  /** Those that nobody uses, and since when. The one that was used last is taken first, so that the others can go. */
  readonly #idle: { readonly connection: Connection; readonly since: number }[] = [];
  #sweeper: NodeJS.Timeout | undefined;
  /** The last TLS session: the next connection need not negotiate it all again. */
  #session: Buffer | undefined;

  constructor({ origin, trust }: ConnectionsOptions) {
    this.#origin = new URL(origin);
    this.#trust = trust;
  }

  /** Sends a request on a free connection, or a new one. */
  dispatch(request: WholeRequest, receiver: Receiver): void {
    const free = this.#idle.pop();
    free?.connection.setIdle(false);
    (free?.connection ?? this.#open()).send(request, receiver);
  }

  /** Ends all connections; what is under way fails. */
  close(): void {
    clearTimeout(this.#sweeper);
    const closed = new Error('the client is closed');
    for (const connection of this.#all) connection.destroy(closed);
  }

  onIdle(connection: Connection): void {
    connection.setIdle(true);
    this.#idle.push({ connection, since: performance.now() });
    this.#sweeper ??= setTimeout(() => this.#sweep(), idleTime).unref();
  }

  onClosed(connection: Connection): void {
    this.#all.delete(connection);
    const place = this.#idle.findIndex((idle) => idle.connection === connection);
    if (place !== -1) this.#idle.splice(place, 1);
  }

  /** Ends those that were not used for long. */
  #sweep(): void {
    this.#sweeper = undefined;
    const now = performance.now();
    const old = this.#idle.filter(({ since }) => since + idleTime <= now);
    for (const { connection } of old) connection.destroy(new Error('not used for long'));
    const [oldest] = this.#idle;
    if (oldest === undefined) return;
    this.#sweeper = setTimeout(() => this.#sweep(), Math.max(1, oldest.since + idleTime - now)).unref();
  }

  #open(): Connection {
    const secure = this.#origin.protocol === 'https:';
    const connection = new Connection(this, {
      open: (onread) => this.#connect(onread, secure),
      standingEvent: secure ? 'secureConnect' : 'connect',
    });
    this.#all.add(connection);
    return connection;
  }

  #connect(onread: OnReadOpts, secure: boolean): Socket {
    // `new URL` puts IPv6 addresses into brackets.
    const host = this.#origin.hostname.replace(/^\[|\]$/g, '');
    const port = Number(this.#origin.port) || (secure ? 443 : 80);
    const options = { host, port, onread, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
    if (!secure) return connect(options);
    const trust = this.#trust === undefined ? {} : { secureContext: this.#trust };
    const session = this.#session === undefined ? {} : { session: this.#session };
    // By itself a socket does not say whom it wants, and one address may belong to many stores. An address is no name.
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = tls.connect({ ...options, ...name, ...trust, ...session, ALPNProtocols: ['http/1.1'] });
    socket.on('session', (latest: Buffer) => (this.#session = latest));
    return socket;
  }
}
