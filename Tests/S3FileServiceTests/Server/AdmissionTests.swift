import Testing

@testable import S3FileService

@Suite struct AdmissionTests {
    @Test func `who comes when all places are taken is told so, and a place that is left is free`() {
        var places = Admission.Places(limit: 2, keys: 1)
        #expect(places.enter(0) == nil && places.enter(0) == nil && places.enter(0) == .full)
        places.leave(0)
        #expect(places.enter(0) == nil)
    }

    @Test func `one of several keys leaves places to the others`() {
        var places = Admission.Places(limit: 4, keys: 2)
        #expect(places.enter(0) == nil && places.enter(0) == nil && places.enter(0) == nil)
        #expect(places.enter(0) == .share && places.enter(1) == nil && places.enter(1) == .full)
        places.leave(0)
        #expect(places.enter(1) == nil)
    }

    @Test func `there is a place for each key, however few there are`() {
        #expect(Admission.Places(limit: 1, keys: 2).share == 1)
    }

    @Test func `a place is given back when what was served throws`() async {
        struct Failure: Error {}
        let admission = Admission(limit: 1, keys: 1)
        for _ in 0..<3 {
            await #expect(throws: Failure.self) { try await admission.admit(0, refuse: { _ in }, serve: { throw Failure() }) }
        }
    }
}
