// Copyright: Watchbill contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

// Watchbill in pi: a heartbeat every few seconds, and every change when it happens. It runs in the event loop that also
// draws pi's terminal, so a pi that hangs does not beat. It only tells: nothing that pi does depends on it.

import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { readFileSync } from "node:fs"
import { bootTime, keepAccepted, messagesIn, tell } from "./keeper_line.mjs"
import { limitsOf, resetOf } from "./provider_limits.mjs"

const EVIDENCE_LENGTH = 200
const TOO_MANY_REQUESTS = 429
const REFUSED = /\b429\b|rate.?limit|too many requests|usage limit|quota/i
// Where the provider did not say when it will serve again; the keeper takes the same for runtimes that cannot reckon.
const UNKNOWN_LIMIT_SECONDS = 900
// From a refusal until pi calls the answer failed.
const HEARD_SECONDS = 10
// From the end of a turn until pi's prompt takes the next one.
const SETTLE_MILLISECONDS = 100
// pi's own waiting before it tries again, doubled each time, unless its settings say otherwise; and a little more.
const RETRY = { enabled: true, maxRetries: 3, baseDelayMs: 2000 }
const RETRY_MARGIN_MILLISECONDS = 1000
// pi does not tell that what it does beside turns failed. A request that was refused hints at it.
const TASK_SECONDS = 600
const FAILED_TASK_SECONDS = 10
// Every HTTP response in this process, also those after which a provider's library tries again in silence.
const RESPONSES = "undici:request:headers"
// What outlives this module, which pi loads anew for each conversation.
const SEQUENCE = Symbol.for("watchbill.sequence")

class Agent {
  constructor(environment, retry) {
    this.environment = environment
    this.retry = { ...RETRY, ...retry }
    // What pi lets an extension see, how to tell a person something, and the terminal; null between two conversations.
    this.context = null
    this.interface = null
    this.terminal = null
    // What the tools that run now do, by the id of their call.
    this.tools = new Map()
    // Answers in a row that the model failed to give, and why there was none last.
    this.failures = 0
    this.error = null
    // The provider's refusal: { until, known, heard }: when it ends, whether the provider said so, when it was heard.
    this.refusal = null
    this.limits = undefined
    // What pi does beside turns: { evidence, until, isOver }.
    this.task = null
    // The timer that runs from the end of a turn until that is known to be its end.
    this.settling = null
    this.told = null
    // What went wrong here last.
    this.trouble = null
  }

  // State and the reason for it.
  situation() {
    const { model, modelRegistry } = this.context
    const title = this.dialog()
    if (title) return { state: "waiting-input", evidence: title }
    const inTurn = !this.context.isIdle() || this.settling !== null
    if (this.refusal && now() < this.refusal.until) {
      const evidence = "its provider refused a request (429)"
      const { until, known } = this.refusal
      return { state: "limited", evidence, resets_at: known ? until : null, retries: inTurn }
    }
    if (!model) return { state: "waiting-input", evidence: "no model is selected: /model" }
    if (!modelRegistry.hasConfiguredAuth(model)) {
      return { state: "waiting-input", evidence: `no credentials for ${model.provider}: /login` }
    }
    if (this.task && (this.task.isOver() || now() > this.task.until)) this.task = null
    if (this.task) return { state: "working", evidence: this.task.evidence }
    if (!this.context.isIdle()) return { state: "working", evidence: [...this.tools.values()].at(-1) }
    if (this.settling) return { state: "working", evidence: this.failures ? `may try again: ${this.error}` : undefined }
    return { state: "idle", evidence: this.error ?? undefined }
  }

  // The title of what has the keyboard instead of the prompt, be it pi's own or an extension's.
  dialog() {
    const focused = this.terminal?.focusedComponent
    if (!focused || typeof focused.getText === "function") return null
    const title = focused.baseTitle ?? `a dialog of pi (${focused.constructor.name})`
    return title.trim().replace(/\s*\n\s*/g, ": ").slice(0, EVIDENCE_LENGTH)
  }

  // Conversation, model, context and cost.
  facts() {
    const { model, sessionManager } = this.context
    const usage = this.context.getContextUsage()
    return {
      conversation: sessionManager.getSessionId(),
      transcript: sessionManager.getSessionFile(),
      model: model && `${model.provider}/${model.id}`,
      // Unknown from a compaction until the next answer.
      context_percent: usage?.percent == null ? undefined : Math.min(100, Math.round(10 * usage.percent) / 10),
      context_tokens: usage?.tokens ?? undefined,
      cost_usd: cost(sessionManager),
      limits: this.limits,
    }
  }

  beat(more = {}) {
    if (!this.context) return
    const situation = this.situation()
    this.told = JSON.stringify(situation)
    globalThis[SEQUENCE] = (globalThis[SEQUENCE] ?? 0) + 1
    tell(this.environment.WATCHBILL_BEAT, {
      ...situation,
      source: "extension",
      session_id: this.environment.WATCHBILL_SESSION_ID || null,
      sequence: globalThis[SEQUENCE],
      boottime: bootTime(),
      ...this.facts(),
      ...more,
    })
  }

  // Beat, if the state or the reason for it is another than the keeper knows.
  look() {
    if (this.context && JSON.stringify(this.situation()) !== this.told) this.beat()
  }

  // A message is part of the conversation now. pi's event `input` comes earlier, but what it tells of may be refused.
  begun({ role, content }) {
    if (role !== "user") return
    this.failures = 0
    this.error = null
    const ids = messagesIn(textOf(content))
    if (ids.length === 0) return this.look()
    const conversation = this.context.sessionManager.getSessionId()
    this.safely(() => keepAccepted(this.environment.WATCHBILL_ACCEPTED, ids, conversation))
    this.beat({ accepted: ids })
  }

  // The model answered, or failed to.
  answered({ role, stopReason, errorMessage }) {
    if (role !== "assistant") return
    if (stopReason === "error") {
      this.failures += 1
      this.error = firstLine(errorMessage ?? "the model gave no answer")
      // Of a provider that pi does not reach by fetch() nothing was heard.
      const heard = now() - (this.refusal?.heard ?? 0) < HEARD_SECONDS
      if (!heard && REFUSED.test(this.error)) this.refuse()
    } else if (stopReason === "aborted") {
      this.error = "a person broke off its turn"
    } else {
      this.failures = 0
      this.refusal = this.error = null
    }
    this.look()
  }

  refuse(headers) {
    const until = headers ? resetOf(headers, now()) : null
    const heard = headers ? now() : 0
    this.refusal = { until: until ?? now() + UNKNOWN_LIMIT_SECONDS, known: until !== null, heard }
  }

  // A response of any server; that of the model's provider tells about limits.
  heard({ request, response }) {
    const provider = this.context?.model?.baseUrl
    if (!provider || new URL(provider).origin !== new URL(request.origin).origin) return
    const headers = byName(response.headers)
    const limits = limitsOf(headers)
    if (limits.length > 0) this.limits = limits
    if (response.statusCode === TOO_MANY_REQUESTS) this.refuse(headers)
    else if (response.statusCode < 400) this.refusal = null
    if (this.task && response.statusCode >= 400) this.task.until = now() + FAILED_TASK_SECONDS
    this.look()
  }

  // A turn came to its end. If it failed, pi may go on with it later, and no event says whether it will; what is typed
  // until then is lost.
  ended(messages) {
    const last = messages.findLast(({ role }) => role === "assistant")
    const failed = last?.stopReason === "error"
    const { enabled, maxRetries, baseDelayMs } = this.retry
    const wait = baseDelayMs * 2 ** (this.failures - 1) + RETRY_MARGIN_MILLISECONDS
    const answer = last && !failed && last.stopReason !== "aborted" ? textOf(last.content) : undefined
    const over = () => {
      this.look()
      // A context that was too long is compacted, and then pi goes on.
      if (failed && this.task) return this.settle(over, RETRY_MARGIN_MILLISECONDS)
      this.settling = null
      this.beat({ turn_ended: true, answer })
    }
    this.settle(over, failed && enabled && this.failures <= maxRetries ? wait : SETTLE_MILLISECONDS)
    this.look()
  }

  settle(over, milliseconds) {
    clearTimeout(this.settling)
    this.settling = setTimeout(() => this.safely(over), milliseconds)
  }

  started() {
    clearTimeout(this.settling)
    this.settling = this.task = null
    this.tools.clear()
    this.look()
  }

  begin(evidence, isOver) {
    this.task = { evidence, isOver, until: now() + TASK_SECONDS }
    this.look()
  }

  // Attend to a conversation.
  enter(context) {
    this.context = context
    this.interface = context.ui
    if (context.hasUI) this.safely(() => this.followFocus())
  }

  // Attend to who has the keyboard.
  followFocus() {
    // A widget is handed the terminal. This one is never drawn.
    this.interface.setWidget("watchbill", (terminal) => {
      this.terminal = terminal
      return { render: () => [], invalidate() {} }
    })
    this.interface.setWidget("watchbill", undefined)
    const { terminal } = this
    const setFocus = terminal.setFocus
    terminal.setFocus = (component) => {
      setFocus.call(terminal, component)
      setTimeout(() => this.safely(() => this.look()), 0)
    }
  }

  // Another model may be another provider's.
  choose() {
    this.refusal = null
    this.look()
  }

  // Do something that pi did not call for: what is thrown there would be the end of pi.
  safely(action) {
    try {
      action()
    } catch (error) {
      if (error.message !== this.trouble) this.interface.notify(`Watchbill: ${error.message}`, "error")
      this.trouble = error.message
    }
  }

  leave() {
    clearTimeout(this.settling)
    // What is of the class stands behind it.
    if (this.terminal) delete this.terminal.setFocus
    this.context = this.interface = this.terminal = this.settling = null
  }
}

// US dollars that a conversation cost; what it took over from the one that it was forked from is not its own.
function cost(sessionManager) {
  const begun = sessionManager.getHeader()?.timestamp ?? ""
  return sessionManager
    .getEntries()
    .filter(({ type, timestamp, message }) => type === "message" && message.role === "assistant" && timestamp >= begun)
    .reduce((sum, { message }) => sum + (message.usage?.cost?.total ?? 0), 0)
}

// What a tool is about to do.
function label({ toolName, args }) {
  const what = args?.command ?? args?.path ?? args?.pattern
  return firstLine(what === undefined ? toolName : `${toolName}: ${what}`)
}

function textOf(content) {
  if (typeof content === "string") return content
  return content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("")
}

function firstLine(text) {
  return text.trim().split("\n", 1)[0].slice(0, EVIDENCE_LENGTH)
}

// Headers as undici has them (name, value, name, value …, all bytes) by their names in small letters.
function byName(raw) {
  const headers = {}
  for (let at = 0; at + 1 < raw.length; at += 2) headers[String(raw[at]).toLowerCase()] = String(raw[at + 1])
  return headers
}

function now() {
  return Date.now() / 1000
}

export default function (pi) {
  // Without it nobody is to be told.
  if (!process.env.WATCHBILL_BEAT) return
  const settings = JSON.parse(readFileSync(new URL("settings.json", import.meta.url), "utf8"))
  const agent = new Agent({ ...process.env }, settings.retry)
  const heard = (response) => agent.safely(() => agent.heard(response))
  let beats

  pi.on("session_start", (_event, context) => {
    agent.enter(context)
    subscribe(RESPONSES, heard)
    beats = setInterval(() => agent.safely(() => agent.beat()), 1000 * Number(process.env.WATCHBILL_INTERVAL || 15))
    agent.beat()
  })
  pi.on("session_shutdown", () => {
    clearInterval(beats)
    unsubscribe(RESPONSES, heard)
    agent.leave()
  })
  pi.on("agent_start", () => agent.started())
  pi.on("agent_end", ({ messages }) => agent.ended(messages))
  pi.on("message_start", ({ message }) => agent.begun(message))
  pi.on("message_end", ({ message }) => agent.answered(message))
  pi.on("model_select", () => agent.choose())
  pi.on("tool_execution_start", (call) => {
    agent.tools.set(call.toolCallId, label(call))
    agent.look()
  })
  pi.on("tool_execution_end", ({ toolCallId }) => {
    agent.tools.delete(toolCallId)
    agent.look()
  })
  pi.on("session_before_compact", ({ signal }) => agent.begin("compacts its context", () => signal.aborted))
  pi.on("session_compact", () => agent.begin("compacts its context", () => true))
  pi.on("user_bash", ({ command }, { sessionManager }) => {
    const before = sessionManager.getLeafId()
    agent.begin(firstLine(`! ${command}`), () => sessionManager.getLeafId() !== before)
  })
}
