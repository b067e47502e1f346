import CEpoll
import CSocket
import Engine
import Memory
import Sockets

/// A message that is to be sent: its headers stand in `cepoll` at the same index.
struct Message: BitwiseCopyable {
  let socket: Int
  /// Of a `send`, which completes in any case; a `reply` completes only if it fails.
  let token: Token
  /// A pair of replies, that each can be sent alone; else -1.
  var first = -1
  var second = -1
  var secondLength = 0
}

/// Datagrams on their way out: gathered in a turn, sent together at the start of the next.
extension EpollRing {
  @inline(__always) public mutating func reply(with buffer: Int, length: Int, on socket: Int) {
    keep(buffer)
    let reply = ReplyPairs.Held(buffer: buffer, length: length, socket: socket)
    guard pairsReplies, !listeners.isWildcard[socket] else { return queue(reply) }
    let sender = sender(of: buffer)
    guard let other = pairs.exchange(reply, from: sender) else { return }
    guard other.socket == reply.socket, ReplyPairs.isSame(self.sender(of: Int(other.buffer)), sender) else {
      return queue(other)
    }
    pairs.drop(sender)
    let (first, second) = other.length >= reply.length ? (other, reply) : (reply, other)
    makeRoom()
    unsafe cepoll_reply_pair(
      c, UInt32(queued), UInt32(first.buffer), UInt32(first.length), UInt32(second.buffer), UInt32(second.length))
    messages[queued] = Message(
      socket: socket, token: Token(.reply, index: 0), first: Int(first.buffer), second: Int(second.buffer),
      secondLength: Int(second.length))
    queued &+= 1
  }

  private mutating func queue(_ reply: ReplyPairs.Held) {
    makeRoom()
    unsafe cepoll_reply(
      c, UInt32(queued), UInt32(reply.buffer), UInt32(reply.length),
      listeners.isWildcard[Int(reply.socket)] ? 1 : 0)
    messages[queued] = Message(socket: Int(reply.socket), token: Token(.reply, index: 0))
    queued &+= 1
  }

  public mutating func send(_ slot: Bytes, length: Int, to peer: Peer, on socket: Int, token: Token) {
    precondition(slot.count >= sendHeadroom + length)
    makeRoom()
    peer.write(to: slot)
    unsafe cepoll_send(
      c, UInt32(queued), slot.address.assumingMemoryBound(to: UInt8.self), UInt32(length), UInt32(peer.localLength))
    messages[queued] = Message(socket: socket, token: token)
    queued &+= 1
  }

  private mutating func makeRoom() {
    if queued == messages.count { submitQueued() }
  }

  /// Sends all that is there to be sent, replies that waited for a second one too.
  mutating func submit() {
    while let single = pairs.takeNext() { queue(single) }
    submitQueued()
  }

  /// One call for each run of messages out of the same socket, and one more after each that is refused.
  private mutating func submitQueued() {
    var at = 0
    while at < queued {
      let socket = messages[at].socket
      var end = at &+ 1
      while end < queued, messages[end].socket == socket { end &+= 1 }
      let result = unsafe cepoll_submit(c, listeners.udp[socket], UInt32(at), UInt32(end &- at))
      if result > 0 {
        end = at &+ Int(result)
        while at < end {
          sent(messages[at], 0)
          at &+= 1
        }
      } else {
        refused(at, result)
        at &+= 1
      }
    }
    queued = 0
  }

  @inline(__always) private mutating func sent(_ message: Message, _ result: Int32) {
    if message.token.operation != .reply || result < 0 { complete(message.token, result) }
  }

  /// A message was not sent. Of a pair each is then sent alone: not all devices take segments before Linux 6.11 (EIO).
  private mutating func refused(_ at: Int, _ result: Int32) {
    let message = messages[at]
    guard message.first >= 0 else { return sent(message, result) }
    if -result != EAGAIN { pairsReplies = false }
    let length = unsafe UInt32(cepoll_first_length(c, UInt32(at)))
    for (buffer, length) in [(message.first, length), (message.second, UInt32(message.secondLength))] {
      unsafe cepoll_reply(c, UInt32(at), UInt32(buffer), length, 0)
      sent(message, min(unsafe cepoll_submit(c, listeners.udp[message.socket], UInt32(at), 1), 0))
    }
  }
}
