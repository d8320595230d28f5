/**
 * What weir uses of undici, under the same names: in the bundle it stands in for the package. All of that costs a sixth
 * of a start: it has fetch, WebSocket, caches and mocks besides.
 */

"use strict";

const Dispatcher = require("undici/lib/dispatcher/dispatcher.js");

// As the package's own first file does.
Object.assign(Dispatcher.prototype, require("undici/lib/api/index.js"));

exports.Agent = require("undici/lib/dispatcher/agent.js");
exports.Client = require("undici/lib/dispatcher/client.js");
exports.Pool = require("undici/lib/dispatcher/pool.js");
exports.errors = require("undici/lib/core/errors.js");
