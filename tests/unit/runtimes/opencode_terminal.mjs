// What opencode's terminal program offers to a plugin, played: for tests of Watchbill's.
//
// Standard input has one JSON object a line: {"event": …} happens; {"set": {…}} changes what the terminal knows:
// `route`, `sessions`, `messages`, `providers`, `config`, `children`, `hangs`, `refuses` (why prompts are refused).
// A status with `wait` is tried again (`next`) so many milliseconds after it happens.
// What the plugin asks for is written to standard output.

import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"

const { default: plugin } = await import(pathToFileURL(process.argv[2]))
const known = { route: { name: "home" }, sessions: {}, messages: {}, providers: [], config: {}, children: {} }
const handlers = new Map()
const happen = (event) => (handlers.get(event.type) ?? []).forEach((handler) => handler(event))
const say = (asked) => process.stdout.write(`${JSON.stringify(asked)}\n`)

async function prompt(asked) {
  say({ prompt: asked })
  if (known.refuses) return { error: { data: { message: known.refuses } } }
  const { messageID, sessionID, parts } = asked
  happen({ type: "message.updated", properties: { info: { id: messageID, sessionID, role: "user" } } })
  for (const part of parts)
    happen({ type: "message.part.updated", properties: { part: { ...part, messageID, sessionID } } })
  await new Promise((over) => setTimeout(over, 60_000).unref())
  return { data: {} }
}

await plugin.tui({
  event: { on: (type, handler) => handlers.set(type, [...(handlers.get(type) ?? []), handler]) },
  lifecycle: { onDispose: () => {} },
  route: {
    get current() {
      return known.route
    },
    navigate(name, params) {
      say({ navigate: params })
      known.route = { name, params }
    },
  },
  state: {
    get config() {
      return known.config
    },
    get provider() {
      return known.providers
    },
    session: {
      get: (id) => known.sessions[id],
      messages: (id) => known.messages[id] ?? [],
    },
  },
  client: {
    global: { health: () => (known.hangs ? new Promise(() => {}) : Promise.resolve({ data: { healthy: true } })) },
    session: {
      children: async ({ sessionID }) => ({ data: known.children[sessionID] ?? [] }),
      create: async () => ({ data: { id: "ses_new" } }),
      prompt,
    },
    permission: {
      reply: async (asked) => {
        say({ permission: asked })
        return { data: true }
      },
    },
    question: {
      reply: async (asked) => {
        say({ question: asked })
        return { data: true }
      },
      reject: async (asked) => {
        say({ rejected: asked })
        return { data: true }
      },
    },
  },
})
say("ready")
for await (const line of createInterface({ input: process.stdin })) {
  const { event, set } = JSON.parse(line)
  if (set) Object.assign(known, set)
  const status = event?.properties.status
  if (status?.wait) status.next = Date.now() + status.wait
  if (event) happen(event)
}
process.exit(0)
