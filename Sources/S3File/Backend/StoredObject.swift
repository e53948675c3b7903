package import NIOCore
package import S3

/// What a store says of an object, and its bytes as they come, once.
package struct StoredObject: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    package enum Bytes: Sendable {
        case streamed(S3ObjectBody)
        case inMemory(ByteBuffer)
    }

    package let head: S3ObjectHead
    package let bytes: Bytes

    package init(head: S3ObjectHead, bytes: Bytes) {
        self.head = head
        self.bytes = bytes
    }

    package func makeAsyncIterator() -> AsyncIterator {
        switch self.bytes {
        case .streamed(let body): AsyncIterator(state: .streamed(body.makeAsyncIterator()))
        case .inMemory(let buffer): AsyncIterator(state: .inMemory(buffer))
        }
    }

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate enum State {
            case streamed(S3ObjectBody.AsyncIterator)
            case inMemory(ByteBuffer)
            case ended
        }

        private static let piece = 64 * 1024
        private var state: State

        fileprivate init(state: State) {
            self.state = state
        }

        /// Concurrent, as the S3 client's own iterator is, which it holds.
        @concurrent
        package mutating func next() async throws -> ByteBuffer? {
            switch self.state {
            case .streamed(var iterator):
                self.state = .ended
                let buffer = try await iterator.next()
                if buffer != nil { self.state = .streamed(iterator) }
                return buffer
            case .inMemory(var buffer):
                let piece = buffer.readSlice(length: Swift.min(Self.piece, buffer.readableBytes))
                self.state = buffer.readableBytes > 0 ? .inMemory(buffer) : .ended
                return piece?.readableBytes == 0 ? nil : piece
            case .ended:
                return nil
            }
        }
    }
}
