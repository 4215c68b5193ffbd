// Copyright: Watchbill contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

// Watchbill in opencode's terminal program: tells the keeper how the agent is, and takes prompts for it on a socket.
// It runs in the thread that draws the terminal, and asks the thread that works before it beats: a beat says that both
// live.

import { rmSync } from "node:fs"
import { createServer } from "node:http"
import { dirname, join } from "node:path"
import { bootTime, keepAccepted, tell } from "./keeper_line.mjs"
import { EVENTS, Situation } from "./opencode_situation.mjs"

const BODY_BYTES = 8 * 1024 * 1024
const ACCEPT_MILLISECONDS = 10_000
const MESSAGE_ID = /^[0-9A-HJKMNP-TV-Z]{26}$/

class Agent {
  constructor(api, environment) {
    this.api = api
    this.environment = environment
    this.situation = new Situation()
    this.sequence = 0
    // The session that a person, or Watchbill, spoke in last.
    this.conversation = null
    this.isAsking = false
    this.accepted = new Set()
    // Messages that opencode was given and did not take yet: id → { done, taken, failed }.
    this.given = new Map()
  }

  start() {
    for (const type of EVENTS) this.api.event.on(type, (event) => this.see(event))
    const beats = setInterval(() => this.tick(), 1000 * Number(this.environment.WATCHBILL_INTERVAL || 5))
    const server = createServer((request, response) => this.serve(request, response))
    const socket = join(dirname(this.environment.WATCHBILL_BEAT), "opencode.sock")
    rmSync(socket, { force: true })
    server.listen(socket)
    this.api.lifecycle.onDispose(() => {
      clearInterval(beats)
      server.close()
    })
    this.talk(this.shown())
    this.tick()
  }

  async tick() {
    if (this.isAsking) return
    this.isAsking = true
    try {
      unwrap(await this.api.client.global.health())
      this.beat()
    } catch {
      // The thread that works did not answer, which is what no beat says.
    } finally {
      this.isAsking = false
    }
  }

  see(event) {
    const { accepted, began, ended, changed } = this.situation.see(event, Date.now())
    if (began) this.talk(began)
    if (accepted && !this.accepted.has(accepted)) this.accept(accepted, event.properties.part.sessionID)
    if (ended) this.beat({ turn_ended: true, conversation: ended, answer: this.situation.answer(ended) || null })
    else if (changed) this.beat()
  }

  accept(id, conversation) {
    this.accepted.add(id)
    try {
      keepAccepted(this.environment.WATCHBILL_ACCEPTED, [id], conversation)
    } catch {
      // The line below tells a keeper that runs; one that comes later looks into the conversation.
    }
    const given = this.given.get(id)
    if (given) this.situation.begin(conversation)
    this.talk(conversation)
    this.beat({ accepted: [id] })
    given?.taken()
  }

  // The session that the terminal shows; of a subagent's the one that it belongs to.
  shown() {
    const { name, params } = this.api.route.current
    return name === "session" ? this.situation.root(this.known(params.sessionID)) : null
  }

  known(session) {
    const info = this.api.state.session.get(session)
    if (info) this.situation.know(info)
    return session
  }

  talk(conversation) {
    if (!conversation || conversation === this.conversation) return
    this.conversation = conversation
    this.learn(conversation).catch(() => {
      // Then its cost is that of this life.
    })
  }

  // Subagents of an earlier life cost, too.
  async learn(conversation) {
    for (const info of unwrap(await this.api.client.session.children({ sessionID: conversation })))
      this.situation.know(info)
  }

  beat(more = {}) {
    tell(this.environment.WATCHBILL_BEAT, {
      ...this.situation.state(Date.now()),
      source: "plugin",
      session_id: this.environment.WATCHBILL_SESSION_ID || null,
      sequence: ++this.sequence,
      boottime: bootTime(),
      ...(this.conversation ? this.usage(this.conversation) : {}),
      ...more,
    })
  }

  // Model, context and cost of a conversation, as far as opencode has them loaded.
  usage(conversation) {
    this.known(conversation)
    const cost_usd = this.situation.cost(conversation)
    const messages = this.api.state.session.messages(conversation)
    const last = messages.findLast((message) => message.role === "assistant" && message.tokens?.output > 0)
    if (!last) return { conversation, cost_usd }
    const { input, output, reasoning, cache } = last.tokens
    const context_tokens = input + output + reasoning + cache.read + cache.write
    const provider = this.api.state.provider.find(({ id }) => id === last.providerID)
    const size = provider?.models[last.modelID]?.limit?.context
    return {
      conversation,
      cost_usd,
      context_tokens,
      ...(size ? { context_percent: Math.min(100, Math.round((1000 * context_tokens) / size) / 10) } : {}),
      model: `${last.providerID}/${last.modelID}`,
    }
  }

  async serve(request, response) {
    const answer = (status, body) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
    try {
      const route = `${request.method} ${request.url}`
      const said = request.method === "POST" ? JSON.parse(await body(request)) : null
      if (route === "POST /messages") answer(200, await this.take(said))
      else if (route === "GET /requests") answer(200, [...this.situation.requests.values()])
      else if (route === "POST /answers") answer(200, await this.reply(said))
      else answer(404, { error: `no such request: ${route}` })
    } catch (error) {
      answer(500, { error: error.message })
    }
  }

  // Give a message to opencode, once, however often it comes. `accepted` is false where that is not known yet.
  async take({ id, text }) {
    if (!MESSAGE_ID.test(id) || typeof text !== "string") throw new Error("a message has an id and a text")
    if (!this.accepted.has(id)) {
      if (!this.given.has(id)) this.give(id, text)
      await Promise.race([this.given.get(id).done, sleep(ACCEPT_MILLISECONDS)])
    }
    return { accepted: this.accepted.has(id) }
  }

  give(id, text) {
    const given = {}
    given.done = new Promise((taken, failed) => Object.assign(given, { taken, failed }))
    given.done.then(
      () => this.given.delete(id),
      () => this.given.delete(id),
    )
    this.given.set(id, given)
    this.prompt(id, text)
      // Nothing, where it was taken.
      .then(() => given.failed(new Error("opencode did not keep the message")), given.failed)
  }

  // Speak in the session that the terminal shows; where it shows none, in a new one. Comes back when the turn is over.
  async prompt(id, text) {
    const { client, route } = this.api
    let session = this.shown()
    if (!session) {
      session = unwrap(await client.session.create({})).id
      route.navigate("session", { sessionID: session })
    }
    const [providerID, ...model] = (this.api.state.config.model ?? "").split("/")
    unwrap(
      await client.session.prompt({
        sessionID: session,
        messageID: messageId(id),
        // Without a model opencode would take that of the conversation, even where the configuration has a new one.
        ...(model.length ? { model: { providerID, modelID: model.join("/") } } : {}),
        parts: [{ type: "text", text }],
      }),
    )
  }

  // Answer what opencode asks: a permission by `reply` (once, always, reject), questions by `answers`; without, no.
  async reply({ id, reply, message, answers }) {
    const { client } = this.api
    const request = this.situation.requests.get(id)
    if (!request) throw new Error("nothing of that id waits for an answer")
    if (request.kind === "permission") unwrap(await client.permission.reply({ requestID: id, reply, message }))
    else if (answers) unwrap(await client.question.reply({ requestID: id, answers }))
    else unwrap(await client.question.reject({ requestID: id }))
    return { answered: id }
  }
}

// An id of opencode's form, which sorts by time, with the id of Watchbill's message at its end.
function messageId(id) {
  const time = (BigInt(Date.now()) * 0x1000n + 1n) & 0xffffffffffffn
  return `msg_${time.toString(16).padStart(12, "0")}${id}`
}

function unwrap({ data, error }) {
  if (error) throw new Error(error.data?.message ?? error.message ?? JSON.stringify(error))
  return data
}

async function body(request) {
  const pieces = []
  let size = 0
  for await (const piece of request) {
    size += piece.length
    if (size > BODY_BYTES) throw new Error("too long")
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

export default {
  id: "watchbill",
  tui: async (api) => {
    // Without it nobody is to be told.
    if (process.env.WATCHBILL_BEAT) new Agent(api, process.env).start()
  },
}
