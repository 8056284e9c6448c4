//! What the calls do when all is well, and what is refused.

use super::{
    cases::Case,
    volume::{
        PATIENCE, PLAIN, connect, create, error, glusterd, library, ok, open, read, volume, write,
    },
};
use futures_lite::future::block_on;
use quorate_engine::{
    Errno,
    gluster::{
        api::{Access, Gfapi, Refusal, Seek, Stat},
        options::{Cluster, Server},
    },
};
use quorate_gfapi::Patience;
use quorate_glusterd::Glusterd;
use std::{net::TcpListener, time::Duration};

pub(crate) const CASES: &[Case<Glusterd>] = &[
    ("what_is_written_is_read", what_is_written_is_read),
    ("a_read_ends_where_the_file_does", a_read_ends_where_the_file_does),
    ("zeroes_extend_and_discards_do_not", zeroes_extend_and_discards_do_not),
    ("a_file_is_cut_and_grows", a_file_is_cut_and_grows),
    ("seeks_find_data_and_holes", seeks_find_data_and_holes),
    ("a_seek_sees_what_was_acknowledged", a_seek_sees_what_was_acknowledged),
    ("nothing_is_nothing_but_for_a_write", nothing_is_nothing_but_for_a_write),
    ("offsets_that_no_file_has_are_refused", offsets_that_no_file_has_are_refused),
    ("direct_input_and_output", direct_input_and_output),
    ("what_is_missing_is_named", what_is_missing_is_named),
    ("a_log_that_cannot_be_written_is_named", a_log_that_cannot_be_written_is_named),
    ("a_closed_file_is_closed", a_closed_file_is_closed),
    ("servers_are_asked_in_order", servers_are_asked_in_order),
    ("a_socket_of_this_machine_is_a_server", a_socket_of_this_machine_is_a_server),
    ("a_server_that_says_nothing_is_given_up", a_server_that_says_nothing_is_given_up),
];

fn what_is_written_is_read(its: &Glusterd) {
    let volume = volume(its, PLAIN);
    let file = create(&*volume, "written", vec![1; 10_000]);
    assert_eq!(write(&*file, 333, vec![2; 777]), ok(777));
    let expected = [vec![1; 333], vec![2; 777], vec![1; 8890]].concat();
    assert_eq!(read(&*file, 0, 10_000), expected);
    assert_eq!(block_on(file.fsync()), ok(0));
    assert_eq!(block_on(file.close()), ok(0));
    let again = open(&*volume, "written").unwrap();
    assert_eq!(read(&*again, 0, 10_000), expected);
}

fn a_read_ends_where_the_file_does(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "short", vec![1; 10_000]);
    let straddles = block_on(file.pread(8192, 4096));
    assert_eq!((straddles.done, straddles.buffer.len()), (ok(1808), 4096));
    assert_eq!(block_on(file.pread(10_000, 512)).done, ok(0));
    assert_eq!(block_on(file.pread(20_000, 512)).done, ok(0));
}

fn zeroes_extend_and_discards_do_not(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "zeroes", vec![1; 1 << 20]);
    assert_eq!(block_on(file.discard(65_536, 131_072)), ok(0));
    assert_eq!(read(&*file, 65_535, 131_074), [&[1][..], &[0; 131_072], &[1]].concat());
    assert_eq!(block_on(file.discard(1 << 20, 4096)), ok(0));
    assert_eq!(block_on(file.stat()).unwrap().bytes, 1 << 20);
    assert_eq!(block_on(file.zerofill((1 << 20) - 10, 20)), ok(0));
    assert_eq!(block_on(file.stat()).unwrap().bytes, (1 << 20) + 10);
    assert_eq!(read(&*file, (1 << 20) - 11, 100), [&[1][..], &[0; 20]].concat());
}

fn a_file_is_cut_and_grows(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "cut", vec![1; 10_000]);
    assert_eq!(block_on(file.ftruncate(5000)), ok(0));
    assert_eq!(block_on(file.ftruncate(20_000)), ok(0));
    assert_eq!(read(&*file, 4999, 100), [&[1][..], &[0; 99]].concat());
    assert_eq!(block_on(file.fallocate(20_000, 1 << 20)), ok(0));
    let Stat { bytes, allocated } = block_on(file.stat()).unwrap();
    assert_eq!(bytes, 20_000 + (1 << 20));
    assert!(((1 << 20)..(2 << 20)).contains(&allocated), "{allocated}");
}

fn seeks_find_data_and_holes(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "holes", vec![1; 65_536]);
    assert_eq!(block_on(file.ftruncate(2 << 20)), ok(0));
    assert_eq!(write(&*file, 1 << 20, vec![1; 65_536]), ok(65_536));
    assert_eq!(block_on(file.fsync()), ok(0));
    let seek = |offset, what| block_on(file.seek(offset, what));
    assert_eq!(seek(0, Seek::Hole), ok(65_536));
    assert_eq!(seek(65_536, Seek::Data), ok(1 << 20));
    assert_eq!(seek((1 << 20) + 65_536, Seek::Data), error(libc::ENXIO));
    assert_eq!(seek(2 << 20, Seek::Hole), error(libc::ENXIO));
}

fn a_seek_sees_what_was_acknowledged(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "pending", Vec::new());
    assert_eq!(block_on(file.ftruncate(64 << 20)), ok(0));
    for at in (1..64).map(|mib| mib << 20) {
        // A cache on the way may know the file's state from now.
        assert_eq!(block_on(file.stat()).unwrap().bytes, 64 << 20);
        // When it is answered the write is still in write-behind's cache.
        assert_eq!(write(&*file, at, vec![1; 65_536]), ok(65_536));
        let after = at - (1 << 19);
        assert_eq!(block_on(file.seek(after, Seek::Data)), ok(at.try_into().unwrap()));
    }
}

fn nothing_is_nothing_but_for_a_write(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "nothing", vec![1; 100]);
    assert_eq!(write(&*file, 50, Vec::new()), ok(0));
    for done in [
        block_on(file.pread(0, 0)).done,
        block_on(file.discard(0, 0)),
        block_on(file.zerofill(0, 0)),
    ] {
        assert_eq!(done, error(libc::EINVAL));
    }
}

fn offsets_that_no_file_has_are_refused(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "offsets", vec![1; 100]);
    let beyond = i64::MAX as u64;
    for offset in [u64::MAX, beyond + 1, beyond] {
        assert_eq!(write(&*file, offset, vec![1; 100]), error(libc::EINVAL));
        assert_eq!(block_on(file.discard(offset, 100)), error(libc::EINVAL));
        assert_eq!(block_on(file.zerofill(offset, 100)), error(libc::EINVAL));
        assert_eq!(block_on(file.fallocate(offset, 100)), error(libc::EINVAL));
        assert_eq!(block_on(file.pread(offset, 100)).done, error(libc::EINVAL));
    }
    assert_eq!(block_on(file.ftruncate(u64::MAX)), error(libc::EINVAL));
    assert_eq!(block_on(file.seek(u64::MAX, Seek::Data)), error(libc::EINVAL));
    assert_eq!(block_on(file.fsync()), ok(0), "gluster has heard of none of them");
}

fn direct_input_and_output(its: &Glusterd) {
    let volume = volume(its, PLAIN);
    drop(create(&*volume, "direct", vec![1; 8192]));
    let access = Access { write: true, direct: true };
    let file = block_on(volume.open("direct", access)).unwrap();
    assert_eq!(write(&*file, 4096, vec![2; 4096]), ok(4096));
    assert_eq!(read(&*file, 0, 8192), [[1; 4096], [2; 4096]].concat());
    assert_eq!(block_on(file.fsync()), ok(0));
}

fn what_is_missing_is_named(its: &Glusterd) {
    let missing = |errno| Some(Refusal { errno, text: None });
    assert_eq!(connect(vec![glusterd(its)], "v9", PATIENCE).err(), missing(libc::ENOENT));
    let volume = volume(its, PLAIN);
    assert_eq!(open(&*volume, "nowhere").err(), missing(libc::ENOENT));
    assert_eq!(open(&*volume, "/").err(), missing(libc::EISDIR));
    drop(create(&*volume, "a-file", vec![1]));
    assert_eq!(open(&*volume, "a-file/below").err(), missing(libc::ENOTDIR));
    let text = Some("\"a\\0b\" has a NUL byte in it".into());
    assert_eq!(open(&*volume, "a\0b").err(), Some(Refusal { errno: libc::EINVAL, text }));
}

fn a_log_that_cannot_be_written_is_named(its: &Glusterd) {
    let logfile = "/proc/nowhere/gluster.log".into();
    let cluster = Cluster {
        servers: vec![glusterd(its)],
        volume: its.volume(PLAIN).into(),
        debug: 4,
        logfile,
    };
    let refused = block_on(library(PATIENCE).connect(&cluster)).err().unwrap();
    let text = Some("gluster cannot log to \"/proc/nowhere/gluster.log\"".into());
    assert_eq!(refused, Refusal { errno: libc::ENOENT, text });
}

fn a_closed_file_is_closed(its: &Glusterd) {
    let file = create(&*volume(its, PLAIN), "closed", vec![1; 100]);
    assert_eq!(block_on(file.seek(0, Seek::Data)), ok(0));
    assert_eq!(block_on(file.close()), ok(0));
    assert_eq!(block_on(file.close()), error(libc::EBADF));
    assert_eq!(write(&*file, 0, vec![1]), error(libc::EBADF));
    assert_eq!(block_on(file.seek(0, Seek::Data)), error(libc::EBADF));
    assert_eq!(block_on(file.stat()), Err(Errno::from_number(libc::EBADF).unwrap()));
}

fn servers_are_asked_in_order(its: &Glusterd) {
    let refuses = || Server::Inet { host: its.server().0.into(), port: 1 };
    let servers = vec![refuses(), glusterd(its), glusterd(its), refuses()];
    assert!(connect(servers, its.volume(PLAIN), PATIENCE).is_ok());
    let refused = connect(vec![refuses()], its.volume(PLAIN), PATIENCE).err().unwrap();
    assert_eq!(refused.errno, libc::ENOTCONN);
    assert_eq!(refused.text.unwrap(), "127.1.1.1:1: Connection refused (os error 111)");
}

fn a_socket_of_this_machine_is_a_server(its: &Glusterd) {
    let server = |path: &str| vec![Server::Unix { path: path.into() }];
    assert!(connect(server("/run/glusterd.socket"), its.volume(PLAIN), PATIENCE).is_ok());
    let refused = connect(server("/run/no.socket"), its.volume(PLAIN), PATIENCE).err().unwrap();
    let text = "/run/no.socket: No such file or directory (os error 2)".into();
    assert_eq!(refused, Refusal { errno: libc::ENOTCONN, text: Some(text) });
}

fn a_server_that_says_nothing_is_given_up(its: &Glusterd) {
    let silent = TcpListener::bind((its.server().0, 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let server = Server::Inet { host: its.server().0.into(), port };
    let volume = Duration::from_millis(300);
    let refused =
        connect(vec![server], its.volume(PLAIN), Patience { volume, ..PATIENCE }).err().unwrap();
    let text = Some("the volume was not there within 300ms".into());
    assert_eq!(refused, Refusal { errno: libc::ETIMEDOUT, text });
}
