/**
 * Modules of Node that cost much to import, got without: an `import` evaluates all that a module exports, and with
 * node:http that is also the client behind `fetch`, with node:tls every root certificate there is. Together they took
 * half of what a worker needed to start.
 */
export const http = process.getBuiltinModule('node:http');
export const https = process.getBuiltinModule('node:https');
export const tls = process.getBuiltinModule('node:tls');
