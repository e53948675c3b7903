
// MARK: one upload

const PARALLEL = 3
// Milliseconds without a byte moving.
const STALL = 90_000
// Milliseconds for the answer, once every byte is sent.
const SILENCE = 600_000

// Not there just now.
const AWAY = { code: 'NetworkError', again: true }

// Entries whose bytes are on the way, and those that wait for their turn.
const moving = new Set()
const queue = []

const bodyFor = ({ file, picker: { input } }) => {
  const body = new FormData()
  // Only the key has such a mark: each file has a name of its own, and its own name travels beside it.
  const random = crypto.getRandomValues(new Uint32Array(4)).join('-')
  for (const { name, value } of input.attributes) {
    if (name.startsWith('data-fields-')) body.append(name.slice(12), value.replace('${filename}', random))
  }
  body.append('success_action_status', '201')
  body.append('Content-Type', file.type || 'application/octet-stream')
  body.append('file', file)
  return body
}

// A request of `entry`, until no byte moves for too long. Resolves with the answer; rejects with {code, again}.
const send = (entry, method, url, body, onprogress) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let watchdog
    const alive = (patience = STALL) => {
      clearTimeout(watchdog)
      watchdog = setTimeout(entry.abort, patience)
    }
    entry.abort = () => request.abort()
    request.upload.onprogress = (event) => {
      alive()
      onprogress(event)
    }
    // All bytes are sent; the store may be silent while it writes them down.
    request.upload.onload = () => alive(SILENCE)
    request.onload = () => resolve(request)
    request.onerror = request.onabort = () => reject({ ...AWAY, isStorage: true })
    request.onloadend = () => clearTimeout(watchdog)
    request.open(method, url)
    request.overrideMimeType('application/xml')
    alive()
    request.send(body)
  })

// One try. Resolves with the key; rejects with {code, status, message, request}.
const post = async (entry) => {
  const { url, s3fSignature, s3fEnds } = entry.picker.input.dataset
  entry.ticket = s3fSignature
  entry.ends = Date.parse(s3fEnds)
  const { status, responseXML } = await send(entry, 'POST', url, bodyFor(entry), (event) =>
    kit.advance?.(entry, event.loaded, event),
  )
  const of = (tag) => responseXML?.getElementsByTagNameNS('*', tag)[0]?.textContent
  if (status === 201 && of('Key')) return of('Key')
  throw { code: of('Code') ?? `${status}`, status, message: of('Message'), request: of('RequestId') }
}

// What only some pages need, or only some uploads. A browser may remember what it could not load: the next time it is another address.
const modules = {}
let misses = ''

const load = (name) =>
  (modules[name] ??= import(new URL(`./s3file-${name}.js?v=@version@${misses}`, import.meta.url)).catch(() => {
    modules[name] = null
    misses += '#'
    throw AWAY
  }))

// Tries until it succeeds, or whoever knows about failures gives up.
const transfer = async (entry) => {
  const { input } = entry.picker
  const { s3fMultipart, s3fMultipartAbove, s3fInputs } = input.dataset
  let isSecond
  while (!entry.gone) {
    entry.loaded = 0
    entry.rate = entry.since = null
    show(entry, 'uploading', text('waiting'))
    try {
      // Whoever tells how far it is. Without a fresh policy the old one is tried.
      await load('retry').then((module) => s3fInputs && module.freshen(entry, kit)).catch(() => 0)
      const parts = s3fMultipart && entry.file.size > s3fMultipartAbove && (await load('multipart'))
      if (entry.gone) return
      const key = await (parts ? parts.upload(entry, kit) : post(entry))
      // When its ticket ended on the way it goes under another one, too.
      if (isSecond || !isOver(entry)) return key
      isSecond = true
    } catch (failure) {
      if (!entry.gone) await (await load('retry')).recover(entry, failure, kit)
    }
  }
}

const stay = (event) => event.preventDefault()

const upload = async (entry) => {
  moving.add(entry)
  addEventListener('beforeunload', stay)
  emit(entry, 'start')
  entry.tries = entry.renewed = 0
  const failure = await transfer(entry).then((key) => void (entry.key = key), (error) => error)
  moving.delete(entry)
  if (!moving.size) removeEventListener('beforeunload', stay)
  if (!entry.gone) {
    if (failure) fail(entry, failure.sentence ?? text('network'), failure)
    else {
      entry.loaded = entry.file.size
      show(entry, 'uploaded')
      mark(entry.picker)
      emit(entry, 'uploaded')
    }
  }
  settle(entry.home)
  next()
}

// A few at a time, whatever form they are of.
const next = () => {
  while (queue.length && moving.size < PARALLEL) {
    const entry = queue.shift()
    if (!entry.gone) upload(entry)
  }
}

const begin = (entries) => {
  const todo = entries.filter(({ state, refused }) => !refused && /^(chosen|error)$/.test(state))
  if (!todo.length) return
  const [{ picker: { input } }] = todo
  const home = homeOf(input)
  for (const entry of todo) {
    show(entry, 'waiting')
    entry.home = home
  }
  queue.push(...todo)
  Object.assign(stateOf(home), { quarter: 0, hasBegun: true })
  say(input, text('starting', { count: todo.length }))
  // While the network is there.
  load('retry').then(({ prepare }) => prepare(kit, home)).catch(() => 0)
  next()
}

// What the modules that are loaded on demand work with, and where they put what they bring.
const kit = {
  texts, text, number, measure, step, size, set, make, buttonOf, label, nameOf, barOf, spoken, speaker, say, show, emit,
  pickerOf, homeOf, stateOf, entriesOf, isMoving, sync, put, remove, begin, moving, send,
}
