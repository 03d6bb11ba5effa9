use std::cell::Cell;
use std::fs;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, sendto, socket,
};

use super::*;

/// Runs `test` in a network of its own, whose loopback is up and whose sysctl is `range`.
///
/// Without root there is no such network, and the test says so instead.
pub(in crate::probe) fn in_network<F: Future<Output = ()> + 'static>(
    range: &'static str,
    test: fn() -> F,
) {
    let run = move || {
        if unshare(CloneFlags::CLONE_NEWNET).is_err() {
            eprintln!("skipped: a network namespace needs root");
            return;
        }
        permit(range);
        up();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(test());
    };
    // The namespace is the thread's, and goes with it.
    std::thread::spawn(run).join().unwrap();
}

/// Says which groups may open the sockets, in the network of the thread.
pub(in crate::probe) fn permit(range: &str) {
    fs::write("/proc/sys/net/ipv4/ping_group_range", range).unwrap();
}

/// Sets the first interface up: `RTM_NEWLINK` with `IFF_UP`.
fn up() {
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let socket = socket(family, kind, SockFlag::empty(), SockProtocol::NetlinkRoute).unwrap();
    let words: [u32; 8] = [32, 16 | 5 << 16, 1, 0, 0, 1, 1, 1];
    let message: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let kernel = NetlinkAddr::new(0, 0);
    sendto(socket.as_raw_fd(), &message, &kernel, MsgFlags::empty()).unwrap();
    let mut reply = [0; 64];
    nix::sys::socket::recv(socket.as_raw_fd(), &mut reply, MsgFlags::empty()).unwrap();
    assert_eq!(reply[16..20], [0; 4], "the kernel accepts");
}

#[test]
fn where_the_sysctl_is_open_the_machine_answers_itself() {
    in_network("0 2147483647", || async {
        let echo = Echo::open();
        let v6 = IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]);
        for target in [LOCALHOST, v6] {
            assert!(echo.supports(target));
            assert_eq!(echo.ask(target, Duration::from_secs(5)).await, Ok(()), "{target}");
        }
        // There is no route, and the kernel says so at once.
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        let asked = echo.ask(elsewhere, Duration::from_secs(5)).await;
        assert_eq!(asked, Err(Failure::Unreachable));
    });
}

#[test]
fn where_it_is_closed_no_target_is_supported_not_even_by_a_raw_socket() {
    in_network("1 0", || async {
        let echo = Echo::open();
        assert!(!echo.supports(LOCALHOST));
        assert_eq!(echo.ask(LOCALHOST, Duration::from_secs(5)).await, Err(Failure::Local));
    });
}

#[test]
fn where_it_is_opened_later_the_next_look_opens_the_sockets() {
    in_network("1 0", || async {
        tokio::time::pause();
        let echo = Echo::open();
        let looks = Cell::new(0);
        let watch = echo.watch(|| {
            looks.set(looks.get() + 1);
            if looks.get() == 3 {
                permit("0 2147483647");
            }
        });
        tokio::select! {
            () = watch => {}
            () = echo.opened() => {}
        }
        assert!(looks.get() > 2 && echo.is_open(), "after {} looks", looks.get());
    });
}

#[test]
fn the_sockets_of_a_silent_machine_are_opened_anew_once() {
    in_network("0 2147483647", || async {
        let ignore = |all| fs::write("/proc/sys/net/ipv4/icmp_echo_ignore_all", all).unwrap();
        let echo = Echo::open();
        let socket = || Arc::as_ptr(&echo.v4.load_full().unwrap());
        let (first, patience) = (socket(), Duration::from_millis(200));
        assert!(!echo.mend(false, patience).await);
        assert_eq!(socket(), first, "it answers");
        ignore("1");
        assert!(echo.mend(false, patience).await);
        let second = socket();
        assert_ne!(second, first);
        assert!(echo.mend(true, patience).await);
        assert_eq!(socket(), second, "it would help no more");
        ignore("0");
        assert!(!echo.mend(true, patience).await);
    });
}
