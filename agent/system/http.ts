// Node's own http, without its price. An `import` of a built-in module reads every one of its exports, and
// reading `WebSocket` off node:http loads undici: 14 MB resident (measured on 24.21, 59.5 against 45.5 MB).
// Asked for this way, only what is used is loaded, and only by agents that probe or scrape over HTTP.

export const loadHttp = (): typeof import('node:http') => process.getBuiltinModule('node:http');
