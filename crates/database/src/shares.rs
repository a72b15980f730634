//! Sharing tables out among connections, so that each has about as many bytes to read.

/// Groups of about as many bytes, of which some have bytes already; what is in each comes in its order.
pub(crate) fn shared_out<Item: Ord>(mut items: Vec<(u64, Item)>, already: Vec<u64>) -> Vec<Vec<Item>> {
    items.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
    let mut groups: Vec<(u64, Vec<Item>)> = already.into_iter().map(|bytes| (bytes, Vec::new())).collect();
    for (bytes, item) in items {
        if let Some(least) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            // An empty table is not for nothing: the server is asked for it.
            least.0 += bytes.max(1);
            least.1.push(item);
        }
    }
    let sorted = groups.into_iter().map(|(_, mut items)| {
        items.sort();
        items
    });
    sorted.collect()
}
