import CEpoll
import CSocket
import Engine
import Memory
import Upstream

/// A socket of a client's stream or towards an upstream, and the operations that wait for it. epoll reports changes only
/// (EPOLLET), so what was reported is kept until a call says that there is no more.
struct Handle: BitwiseCopyable {
  let descriptor: Int32
  let isDatagram: Bool
  /// Calls that read, or write, may find something, or room.
  var isReadable: Bool
  var isWritable: Bool
  /// The other end has said its last, or there is an error: reading will not wait any more.
  var hasHungUp = false
  var read: Operation?
  var write: Operation?
  /// Of a connect that is under way.
  var connect: Token?

  struct Operation: BitwiseCopyable {
    let token: Token
    let bytes: Bytes
  }
}

extension EpollRing {
  public func descriptor(of handle: Int32) -> Int32 { handles[Int(handle)].descriptor }

  /// Makes an accepted client a handle; passes on -errno. A client usually has sent its query by now.
  public mutating func adopt(_ descriptor: Int32) -> Int32 {
    guard descriptor >= 0 else { return descriptor }
    return add(Handle(descriptor: descriptor, isDatagram: false, isReadable: true, isWritable: true), isWatched: true)
  }

  /// A handle for a new socket, or -errno and the socket is closed.
  private mutating func add(_ handle: Handle, isWatched: Bool) -> Int32 {
    guard let index = handles.take(handle) else {
      CSocket.close(handle.descriptor)
      return -EMFILE
    }
    let result = isWatched ? watch(handle: index) : 0
    guard result == 0 else {
      close(Int32(index))
      return result
    }
    return Int32(index)
  }

  public mutating func open(_ upstream: Int, _ transport: Transport) -> Int32 {
    let descriptor = unsafe upstreams[upstream].withUnsafeBytes {
      unsafe csocket_outgoing($0.baseAddress!, UInt32($0.count), transport == .tcp ? 1 : 0)
    }
    guard descriptor >= 0 else { return descriptor }
    cepoll_set_nonblocking(descriptor)
    let isDatagram = transport == .udp
    // Before it is connected there is nothing to watch but a stream that is closed.
    return add(
      Handle(descriptor: descriptor, isDatagram: isDatagram, isReadable: false, isWritable: isDatagram),
      isWatched: isDatagram)
  }

  public mutating func connect(_ handle: Int32, to upstream: Int, token: Token) {
    let index = Int(handle)
    let address = upstreams[upstream]
    var result = unsafe address.withUnsafeBytes {
      unsafe cepoll_connect(handles[index].descriptor, $0.baseAddress!, UInt32($0.count))
    }
    if result == 0 || result == -EINPROGRESS {
      let watched = watch(handle: index)
      if watched < 0 { result = watched }
    }
    if result == -EINPROGRESS {
      handles[index].connect = token
    } else {
      handles[index].isWritable = result == 0
      complete(token, result)
    }
  }

  public mutating func read(_ handle: Int32, into buffer: Bytes, token: Token) {
    let index = Int(handle)
    handles[index].read = Handle.Operation(token: token, bytes: buffer)
    if handles[index].isReadable { tryReading(index) }
  }

  public mutating func write(_ handle: Int32, from buffer: Bytes, token: Token) {
    let index = Int(handle)
    if handles[index].isDatagram { return sendDatagram(index, buffer, token) }
    handles[index].write = Handle.Operation(token: token, bytes: buffer)
    if handles[index].isWritable { tryWriting(index) }
  }

  /// What epoll reports of a handle.
  mutating func ready(_ index: Int, _ events: UInt32) {
    if cepoll_hung_up(events) != 0 { handles[index].hasHungUp = true }
    if cepoll_can_write(events) != 0 {
      handles[index].isWritable = true
      if let token = handles[index].connect {
        handles[index].connect = nil
        complete(token, cepoll_connected(handles[index].descriptor))
      }
      tryWriting(index)
    }
    if cepoll_can_read(events) != 0 {
      handles[index].isReadable = true
      tryReading(index)
    }
  }

  private mutating func tryReading(_ index: Int) {
    let handle = handles[index]
    guard let operation = handle.read else { return }
    let result = unsafe cepoll_read(handle.descriptor, operation.bytes.address, operation.bytes.count)
    if result == -EAGAIN {
      handles[index].isReadable = false
      return
    }
    // Less than there was room for: a stream has no more, and tells when that changes (epoll(7)).
    if Int(result) < operation.bytes.count, !handle.isDatagram, !handle.hasHungUp { handles[index].isReadable = false }
    handles[index].read = nil
    complete(operation.token, result)
  }

  private mutating func tryWriting(_ index: Int) {
    let handle = handles[index]
    guard let operation = handle.write else { return }
    let result = unsafe cepoll_write(handle.descriptor, operation.bytes.address, operation.bytes.count)
    if result == -EAGAIN {
      handles[index].isWritable = false
      return
    }
    handles[index].write = nil
    complete(operation.token, result)
  }

  /// A datagram for which its socket has no room is lost, as any may be on its way: it is asked again.
  private mutating func sendDatagram(_ index: Int, _ buffer: Bytes, _ token: Token) {
    let result = unsafe cepoll_write(handles[index].descriptor, buffer.address, buffer.count)
    complete(token, result == -EAGAIN ? Int32(buffer.count) : result)
  }

  public mutating func stop(_ token: Token, on handle: Int32?) {
    if let handle {
      guard handles[Int(handle)].read?.token == token else { return }
      handles[Int(handle)].read = nil
    } else {
      // A listener that has just failed is not watched any more, and has had its last completion.
      let sockets = token.operation == .receive ? listeners.udp : listeners.tcp
      guard unwatch(sockets[token.index]) else { return }
    }
    complete(token, Completion.stopped)
  }

  public mutating func cancel(_ handle: Int32) {
    let index = Int(handle)
    for token in [handles[index].read?.token, handles[index].write?.token, handles[index].connect] {
      if let token { complete(token, Completion.stopped) }
    }
    handles[index].read = nil
    handles[index].write = nil
    handles[index].connect = nil
  }

  public mutating func abandon(_ handle: Int32) {
    unwatch(descriptor(of: handle))
    handles.give(Int(handle))
  }

  public mutating func close(_ handle: Int32) {
    CSocket.close(handles[Int(handle)].descriptor)
    handles.give(Int(handle))
  }
}
