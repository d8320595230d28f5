/** Stands in for undici's own HTTP/2, which takes a tenth of a start: it is loaded once a server speaks it. */

"use strict";

module.exports = (...args) => require("undici/lib/dispatcher/client-h2.js")(...args);
