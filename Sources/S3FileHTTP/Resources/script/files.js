
// MARK: the files of an input

// Boxes of files that survived a form error: drawn by the server, they decide, and go with the form.
const keptOf = ({ form, name }) => [...(form?.elements ?? [])].filter((box) => box.name === `${name}-s3f-kept`)

// The checks that need no server; the server makes them again.
const refusal = ({ file, picker: { input } }, count) => {
  const { s3fMaxSize, s3fMaxCount } = input.dataset
  const types = input.accept.toLowerCase()
  const type = file.type.toLowerCase()
  const fits = (part) =>
    part[0] === '.' ? file.name.toLowerCase().endsWith(part) : part.endsWith('/*') ? type.startsWith(part.slice(0, -1)) : type === part
  if (types && !types.split(/[\s,]+/).some(fits)) return ['Type', text('wrongType', { types })]
  if (file.size > s3fMaxSize) {
    // So exactly that one can see the difference.
    let digits = 1
    while (digits < 15 && size(file.size, digits) === size(s3fMaxSize, digits)) digits++
    return ['EntityTooLarge', text('tooLarge', { size: size(file.size, digits), limit: size(s3fMaxSize, digits) })]
  }
  if (count > s3fMaxCount) return ['Count', text('tooMany', { count, limit: s3fMaxCount })]
  return []
}

const drop = (entry) => {
  entry.gone = true
  entry.abort?.()
  entry.row.remove()
}

// Brings the rows in line with the files the input holds.
const sync = (input) => {
  const picker = pickerOf(input)
  const { list, entries } = picker
  const files = [...input.files]
  picker.entries = files.map((file) => entries.find((entry) => entry.file === file) ?? newEntry(picker, file))
  for (const entry of entries) if (!picker.entries.includes(entry)) drop(entry)
  const kept = keptOf(input)
  if (input.dataset.s3fOptions || kept[0]) load('options').then((module) => module.keep(picker, kept, kit))
  let count = kept.filter((box) => box.checked && input.multiple).length
  for (const entry of picker.entries) {
    const before = entry.refused
    const [code, sentence] = refusal(entry, ++count)
    entry.refused = sentence
    if (!entry.row.isConnected) list.append(entry.row)
    if (sentence && sentence !== before) fail(entry, sentence, { code })
    if (!sentence && before) show(entry, 'chosen')
  }
  list.hidden = !files.length
  mark(picker)
  settle(homeOf(input))
}

const put = (input, files) => {
  const transfer = new DataTransfer()
  for (const file of files) transfer.items.add(file)
  input.files = transfer.files
}

// Takes one file out of the input. The focus was on its button: it goes to the next row, or back to the input.
const remove = (entry) => {
  const { file, row, picker: { input } } = entry
  const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector('.s3file-remove') ?? input
  const isFocused = row.contains(document.activeElement)
  put(input, [...input.files].filter((other) => other !== file))
  sync(input)
  if (isFocused) next.focus()
  emit(entry, 'cancel')
  say(input, text('removed', { name: file.name }))
}

const onChange = ({ target: input }) => {
  if (!input.matches(PICKER)) return
  const { s3fOptions } = input.dataset
  if (s3fOptions && input.multiple) kit.add?.(input)
  sync(input)
  if (/immediate/.test(s3fOptions) || stateOf(homeOf(input)).busy) begin(pickerOf(input).entries)
}

// Inputs come and go. One that has gone sends nothing any more, and its form does not wait for it.
const onMutation = () => {
  for (const input of document.querySelectorAll(PICKER)) if (!pickers.has(input)) sync(input)
  for (const { gone, picker, home } of [...moving, ...queue]) {
    if (gone || picker.input.isConnected) continue
    picker.entries.forEach(drop)
    picker.entries = []
    settle(home)
  }
}
