// What pi offers to an extension, played: for tests of Watchbill's.
//
// Standard input has one JSON object a line: {"event": NAME, "said": …} happens; {"set": {…}} changes what pi knows:
// `idle`, `model`, `authorized`, `usage`, `header`, `entries`, `leaf`, `widgets`; {"focus": TITLE} opens a dialog, {"focus": null}
// goes back to the prompt; {"response": {origin, status, headers}} is one that fetch() gets; {"hang": MILLISECONDS} stops
// everything. What the extension shows to a person is written to standard output.

import { channel } from "node:diagnostics_channel"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"

class Terminal {
  focusedComponent = null
  setFocus(component) {
    this.focusedComponent = component
  }
}

class SelectorComponent {}

const prompt = { getText: () => "" }
const terminal = new Terminal()
const say = (shown) => process.stdout.write(`${JSON.stringify(shown)}\n`)
const known = {
  idle: true,
  model: { provider: "lab", id: "lab-1", baseUrl: "http://provider.test/v1" },
  authorized: true,
  usage: { tokens: 1200, contextWindow: 100000, percent: 1.2 },
  header: { id: "conversation-1", timestamp: "2026-11-21T10:00:00.000Z" },
  entries: [],
  leaf: "leaf-1",
  widgets: true,
}
const context = {
  hasUI: true,
  ui: {
    notify: (message) => say({ notify: message }),
    setWidget: (_key, widget) => known.widgets && widget?.(terminal),
  },
  get model() {
    return known.model
  },
  modelRegistry: { hasConfiguredAuth: () => known.authorized },
  isIdle: () => known.idle,
  getContextUsage: () => known.usage,
  sessionManager: {
    getSessionId: () => known.header.id,
    getSessionFile: () => `/sessions/${known.header.id}.jsonl`,
    getHeader: () => known.header,
    getEntries: () => known.entries,
    getLeafId: () => known.leaf,
  },
}

const handlers = new Map()
const { default: extension } = await import(pathToFileURL(process.argv[2]))
extension({ on: (event, handler) => handlers.set(event, handler) })
terminal.setFocus(prompt)

function respond({ origin, status, headers }) {
  const raw = Object.entries(headers ?? {}).flat().map((part) => Buffer.from(part))
  channel("undici:request:headers").publish({ request: { origin }, response: { statusCode: status, headers: raw } })
}

function hang(milliseconds) {
  say("hangs")
  const until = Date.now() + milliseconds
  while (Date.now() < until);
}

function focusOn(title) {
  terminal.setFocus(title === null ? prompt : Object.assign(new SelectorComponent(), { baseTitle: title || undefined }))
}

say("ready")
for await (const line of createInterface({ input: process.stdin })) {
  const { event, said, set, focus, response, hang: milliseconds } = JSON.parse(line)
  if (set) Object.assign(known, set)
  if (event) handlers.get(event)?.(said ?? {}, context)
  if (focus !== undefined) focusOn(focus)
  if (response) respond(response)
  if (milliseconds) hang(milliseconds)
}
process.exit(0)
