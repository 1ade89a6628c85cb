//! The simulator of both outside worlds, over real sockets on loopback.

mod answer;
mod auth;
mod book;
mod catalogue;
mod exchange;
mod feed;
mod game;
mod generated;
mod hub;
mod ledger;
mod network;
mod order_form;
mod portfolio;
mod rate_limit;
mod recorded;
mod rest;
mod server;
mod sports;
mod subscriptions;
mod teams;
mod times;
mod traders;
mod websocket;
mod wire;
mod world;
