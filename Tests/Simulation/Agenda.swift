/// What is to happen when: a heap of actions by time; those of one time happen in the order they were put down.
struct Agenda {
  private struct Item {
    let time: UInt64
    let order: Int
    let action: () -> Void

    func isBefore(_ other: Item) -> Bool { time != other.time ? time < other.time : order < other.order }
  }

  private var items: [Item] = []
  private var count = 0

  var nextTime: UInt64? { items.first?.time }

  mutating func add(_ time: UInt64, _ action: @escaping () -> Void) {
    count += 1
    items.append(Item(time: time, order: count, action: action))
    var at = items.count - 1
    while at > 0, items[at].isBefore(items[(at - 1) / 2]) {
      items.swapAt(at, (at - 1) / 2)
      at = (at - 1) / 2
    }
  }

  /// The action that is due first; there must be one.
  mutating func removeFirst() -> () -> Void {
    let first = items[0]
    let last = items.removeLast()
    guard !items.isEmpty else { return first.action }
    items[0] = last
    var at = 0
    while true {
      var least = at
      for child in [2 * at + 1, 2 * at + 2] where child < items.count && items[child].isBefore(items[least]) {
        least = child
      }
      if least == at { return first.action }
      items.swapAt(at, least)
      at = least
    }
  }

  mutating func removeAll() { items = [] }
}
