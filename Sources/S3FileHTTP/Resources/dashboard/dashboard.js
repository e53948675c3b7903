// S3File: the dashboard. Its pages need no script; this keeps the overview as things stand, without taking anything from whoever reads it:
// what has the focus, is open, selected or pointed at stays the same element, and only what differs is changed in it.

const live = document.querySelector('[data-live]')
const state = document.querySelector('[data-live-state]')
const clock = document.querySelector('[data-live-time]')

// Milliseconds without a word after which the connection is taken for lost: beats come every 15 s.
const PATIENCE = 40_000
// Milliseconds until another try, when the server said no.
const PAUSE = 5_000

let source, timer

const say = (words) => {
  if (state.textContent !== words) state.textContent = words
}

const close = () => {
  source?.close()
  source = null
  clearTimeout(timer)
}

const retryIn = (pause) => {
  clearTimeout(timer)
  timer = setTimeout(open, pause)
}

// A page that nobody sees asks for nothing.
const open = () => {
  close()
  if (document.hidden) return say('As of')
  source = new EventSource(live.dataset.live)
  retryIn(PATIENCE)
  source.addEventListener('overview', ({ data }) => {
    const { html, time, clock: words } = JSON.parse(data)
    take(html)
    clock.setAttribute('datetime', time)
    clock.textContent = words
    say('Live:')
    retryIn(PATIENCE)
  })
  source.addEventListener('beat', () => retryIn(PATIENCE))
  source.addEventListener('away', () => {
    say('The database does not answer. As of')
    retryIn(PATIENCE)
  })
  source.onerror = () => {
    say('Connection lost, trying again. As of')
    if (source?.readyState === EventSource.CLOSED) retryIn(PAUSE)
  }
}

// MARK: changing in place

const take = (html) => {
  const fresh = new DOMParser().parseFromString(html, 'text/html').body
  adopt(live, fresh)
}

const keyOf = (node) => node.dataset?.key

// Where somebody has marked text, it stays as it is until the mark is gone.
const isMarked = (node) => {
  const selection = getSelection()
  return !selection.isCollapsed && selection.containsNode(node, true)
}

const update = (node, fresh) => {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.data !== fresh.data && !isMarked(node)) node.data = fresh.data
    return
  }
  for (const { name, value } of fresh.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value)
  for (const { name } of [...node.attributes]) {
    // Whether details are open is for the reader to say.
    if (name !== 'open' && !fresh.hasAttribute(name)) node.removeAttribute(name)
  }
  adopt(node, fresh)
}

// Makes the children of an element those of another. Rows and the like are told apart by their keys, the rest by its place.
const adopt = (parent, fresh) => {
  const keys = new Map()
  for (const child of fresh.children) if (keyOf(child)) keys.set(keyOf(child), child)
  for (const child of [...parent.children]) {
    if (keyOf(child) && keys.get(keyOf(child))?.nodeName !== child.nodeName) leave(child)
  }
  const known = new Map()
  for (const child of parent.children) if (keyOf(child)) known.set(keyOf(child), child)
  let place = parent.firstChild
  const pass = () => {
    while (place && keyOf(place) && !keys.has(keyOf(place))) place = place.nextSibling
  }
  for (const node of [...fresh.childNodes]) {
    pass()
    const key = keyOf(node)
    const isSame = place && !keyOf(place) && !key && place.nodeName === node.nodeName
    const match = key ? known.get(key) : isSame && place
    if (!match) {
      parent.insertBefore(node, place)
      continue
    }
    // What is left of a row that went. To move the one that comes instead would take the focus from it.
    while (place && place !== match && !keyOf(place)) {
      const left = place
      place = place.nextSibling
      left.remove()
    }
    pass()
    if (match === place) place = place.nextSibling
    else parent.insertBefore(match, place)
    update(match, node)
  }
  pass()
  while (place) {
    const next = place.nextSibling
    if (!keyOf(place) || keys.has(keyOf(place))) place.remove()
    place = next
  }
}

// What has the focus stays until it is left, lest the focus be lost.
const leave = (element) => {
  if (!element.contains(document.activeElement)) element.remove()
}

if (live) {
  open()
  document.addEventListener('visibilitychange', open)
  addEventListener('pagehide', close)
  addEventListener('pageshow', ({ persisted }) => persisted && open())
}
